// Probes as the parts of one, and the parts of a probe.
private import Activations

extension Probe {
    /// The probe whose outputs are a sum of those of some probes, y = bias + Σ_i weights[i]·(y_i - shifts[i])/scales[i],
    /// elementwise over the O outputs. It is scored in one pass, with the rows of all parts in one product.
    ///
    /// What it says of its training is what all parts say alike; `partTrainings` has the rest.
    ///
    /// - Parameters:
    ///   - parts: fitted probes of any kinds but ensembles; what each says of calibration and threshold does not matter.
    ///   - weights: how much each part counts.
    ///   - shifts: what is taken from the outputs of each part, P×O.
    ///   - scales: what that is divided by, P×O, above 0.
    ///   - bias: what is added to the outputs, O.
    ///   - layers: which of several layers side by side each part reads (`ProbeConfiguration.partLayers`), so that the
    ///     probe is as many times as wide; none where all read all of the state.
    /// - Precondition: there is a part, all have one width and one task, and there are as many numbers as that.
    package static func ensemble(
        _ parts: [Probe], weights: [Float], shifts: [[Float]], scales: [[Float]], bias: [Float],
        layers: [Int] = []
    ) -> Probe {
        precondition(
            parts.allSatisfy { $0.width == parts[0].width && $0.task == parts[0].task },
            "parts of different widths or tasks")
        precondition(scales.joined().allSatisfy { $0 > 0 }, "scales that are not above 0")
        let (common, own) = parts.map(\.training).split
        var training = common
        training[.partTrainings] = own.map(\.texts)
        let configuration = ProbeConfiguration.ensemble(parts.map(\.configuration), layers: layers)
        return Probe(
            configuration, width: parts[0].width * configuration.layerCount, task: parts[0].task,
            parameters: parts.flatMap(\.parameters) + weights + shifts.joined() + scales.joined() + bias,
            training: training)
    }

    /// The probes that an ensemble is made of, with the threshold 0.5; none for other kinds.
    public var parts: [Probe] {
        guard let architecture = architecture as? EnsembleArchitecture else { return [] }
        let trainings = training[.partTrainings] ?? []
        return configuration.parts.indices.map { i in
            var record = training
            record[.partTrainings] = nil
            if i < trainings.count { record.add(TrainingRecord(trainings[i])) }
            return Probe(
                configuration.parts[i], width: architecture.parts[i].width, task: task,
                parameters: Array(parameters[architecture.range(of: i)]), training: record)
        }
    }

    /// How much each part of an ensemble counts: `weights`; none for other kinds.
    public var partWeights: [Float] { configuration.parts.isEmpty ? [] : tensor("weights")! }

    /// "0.52 × attention, 24 heads", of several layers "0.52 × layer 4: attention, 24 heads": each part of an ensemble
    /// and how much it counts.
    package var partNames: [String] {
        let layers = configuration.partLayers.map { layer in
            let numbers = training.layers?.numbers ?? []
            return numbers.count == configuration.layerCount
                ? "layer \(numbers[layer]): " : "layer \(layer + 1) of \(configuration.layerCount): "
        }
        return zip(configuration.parts, partWeights).enumerated().map { i, part in
            "\((Double(part.1) * 100).rounded() / 100) × \(layers.isEmpty ? "" : layers[i])\(part.0.summary)"
        }
    }

    /// What scoring multiplies a token with, in rows of weights of the width of a hidden state: 2H for attention of H
    /// heads, all rows of its parts for an ensemble.
    package var rowsPerToken: Int { architecture.rowsPerToken }
}

extension TrainingRecord.Field<[[String: String]]> {
    /// Of each part of an ensemble what its training was that is not the same for all.
    package static var partTrainings: Self { Self(json: "part_trainings") }
}

extension [TrainingRecord] {
    // What all say alike, and what each says beside it.
    fileprivate var split: (common: TrainingRecord, own: [TrainingRecord]) {
        let common = self[0].texts.filter { name, text in allSatisfy { $0[name] == text } }
        return (
            TrainingRecord(common),
            map { record in TrainingRecord(record.texts.filter { common[$0.key] == nil }) }
        )
    }
}
