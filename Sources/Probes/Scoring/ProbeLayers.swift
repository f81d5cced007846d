// Probes that were trained on different layers, over states in which these stand side by side: each sees its own, in place.
package import Activations

extension Probe {
    /// Reads probe files.
    ///
    /// - Parameter opened: those of them that are open, by their paths.
    /// - Throws: `SystemError` where one cannot be read; `DataError` where one breaks the format.
    package static func all(paths: [String], opened: [String: TensorFile] = [:]) throws -> [Probe] {
        try paths.map { try Probe(opened[$0] ?? Safetensors.open(path: $0)) }
    }
}

extension ProbeSet {
    /// Probes over a set: where its states have several layers side by side, those of which a probe says that it was
    /// trained on them alone are what it sees.
    ///
    /// - Parameter names: what errors call the probes.
    /// - Throws: `DataError` where there is no probe, or one has another width than what it would see.
    package init(_ probes: [Probe], names: [String], over data: ActivationSet) throws(DataError) {
        let views = probes.map { probe in
            probe.training.layers.flatMap { own in
                own == data.layers ? nil : data.layers?.columns(of: own, width: data.width)
            }
        }
        guard views.contains(where: { $0 != nil }) else {
            try self.init(probes, names: names)
            return
        }
        for (i, probe) in probes.enumerated() {
            let width = views[i]?.reduce(0) { $0 + $1.count } ?? data.width
            guard probe.width != width else { continue }
            let layers = views[i] == nil ? data.layers! : probe.training.layers!
            throw DataError(
                .mismatch, names[i], "tensor v.weight",
                expected: "the width of \(layers) in \(data.files[0].path), \(width)", found: "\(probe.width)"
            )
        }
        self.init(probes, seeing: views, width: data.width)
    }

    /// Whether each probe sees all of the states.
    package var seeAlike: Bool { passes.allSatisfy { $0.columns == nil } }
}
