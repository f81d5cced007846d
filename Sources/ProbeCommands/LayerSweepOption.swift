import ArgumentParser
import AttentionProbes

/// Layers that are each selected for themselves: `all`, or numbers such as 4,8,12.
struct SweptLayers: ExpressibleByArgument, Sendable {
    /// At least two different ones; nil for all that there are.
    let numbers: [Int]?

    init?(argument: String) {
        guard argument != "all" else {
            numbers = nil
            return
        }
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { Int($0) }.filter { $0 >= 0 }
        guard numbers.count == parts.count, numbers.count > 1, Set(numbers).count == numbers.count else {
            return nil
        }
        self.numbers = numbers
    }
}

/// Which layers of files that hold several, or of files of one layer each, contend with each other.
struct LayerSweepOption: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            Select on every one of these layers in the same way and tell the metric of each: all, or at least two \
            numbers such as 4,8,12. The earliest within one standard error of the best is chosen, or an ensemble \
            across layers where none is.
            """, valueName: "layers"))
    var layersEach: SweptLayers?

    /// The layers of a set that contend.
    ///
    /// - Throws: `DataError` where one is not there.
    func layers(of data: ActivationSet) throws -> ActivationSet {
        guard let numbers = layersEach?.numbers, let all = data.layers, all.numbers != numbers else {
            return data
        }
        guard let own = data.taking(LayerRecord(numbers, areAsStored: all.areAsStored)) else {
            throw DataError(
                .layers, data.files[0].path,
                expected: "layers \(numbers.map(String.init).joined(separator: ","))", found: "\(all)")
        }
        return own
    }
}
