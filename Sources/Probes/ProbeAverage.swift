// The average of probes whose heads are added is one probe with all their heads, values divided by
// how many they are: exact, and a file like any other.

extension ProbeConfiguration {
    /// Whether an average of such probes is such a probe: outputs are sums over heads, nothing bends
    /// them afterwards, and no layers before them are shared by heads.
    package var canBeAveraged: Bool { kind.addsHeads && hidden == 0 && units == 0 }
}

extension Probe {
    /// The probe whose outputs are the mean of those of some probes, up to rounding.
    ///
    /// Averaging probes trained with different seeds usually predicts better than any one of them. What
    /// it says of its training is the first one's, with the number of probes as `averaged`.
    ///
    /// - Precondition: at least one probe; all of one configuration that `canBeAveraged`, one width and
    ///   one task.
    package static func average(_ probes: [Probe]) -> Probe {
        let first = probes[0]
        precondition(
            first.configuration.canBeAveraged
                && probes.allSatisfy {
                    $0.configuration == first.configuration && $0.width == first.width
                        && $0.task == first.task
                }, "probes that have no average")
        guard probes.count > 1 else { return first }
        var configuration = first.configuration
        configuration.heads *= probes.count
        // Every tensor's rows are heads, or heads and outputs, the heads outermost.
        let parameters = first.architecture.tensors.flatMap { tensor -> [Float] in
            probes.flatMap { probe in
                probe.tensor(tensor.name)!.map { tensor.scalesOutputs ? $0 / Float(probes.count) : $0 }
            }
        }
        var training = first.training
        training[.averaged] = probes.count
        return Probe(
            configuration, width: first.width, task: first.task, parameters: parameters,
            threshold: first.threshold, training: training)
    }
}
