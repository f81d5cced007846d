// Scores in place of hidden states: what a probe has said of sequences is judged without the data that it was said of.
// The outputs of a sequence stand where one hidden state would, and a mean probe with the identity for weights gives
// them back bit by bit, so that all that judges a probe on data judges scores, too.
package import Activations
import ProbeMetrics
import Tensors

/// A file of scores with the probe that gives them back.
package struct ScoreFile: Sendable {
    /// The sequences, each with its outputs where hidden states would be; no labels.
    package let data: ActivationSet
    /// Gives the outputs, and has the task, the threshold and the calibration of the probe that made them.
    package let probe: Probe

    /// Whether a file has scores, by how it begins: an object or the column `id`, or as safetensors by its metadata.
    ///
    /// - Throws: `SystemError` where it cannot be read.
    package static func isScores(_ path: String) throws -> Bool { try ScoreTable.isScores(path) }

    /// Reads scores as `ScoreWriter` writes them: JSON lines, CSV or safetensors.
    ///
    /// - Parameters:
    ///   - probe: the probe that made them, for its task, threshold and calibration; nil to find these out from
    ///     what it predicted, of JSON lines only where every class was.
    ///   - name: what the file calls the probe, where it has several.
    /// - Throws: `SystemError` where the file cannot be read; `DataError` where it is no file of scores, has other outputs than
    ///   the probe, or does not say what they are of.
    package init(path: String, probe: Probe? = nil, name: String? = nil) throws {
        let table = try ScoreTable(path: path, probe: name)
        let outputs = table.rows[0].logits.count
        let logits = Matrix(rows: table.rows.count, columns: outputs, storage: table.rows.flatMap(\.logits))
        data = try ActivationSet([try ActivationFile(scores: logits, ids: table.rows.map(\.id), name: path)])
        guard let probe else {
            let (task, calibration) = (try table.task(), table.calibration)
            self.probe = Self.identity(task, try table.threshold(task), calibration)
            return
        }
        guard probe.task.outputs == outputs else {
            throw table.fault(0, "\(probe.task.outputs) outputs, as the probe has", "\(outputs)")
        }
        self.probe = Self.identity(probe.task, probe.threshold, probe.calibration)
    }

    private static func identity(_ task: ProbeTask, _ threshold: Double, _ calibration: Calibration?) -> Probe
    {
        let outputs = task.outputs
        let blank = Probe(
            ProbeConfiguration(.mean), width: outputs, task: task,
            parameters: Array(repeating: 0, count: outputs * outputs + outputs))
        var parameters = blank.parameters
        let weights = blank.architecture.tensors.range(of: "v.weight")!
        for o in 0..<outputs { parameters[weights.lowerBound + o * outputs + o] = 1 }
        return Probe(
            ProbeConfiguration(.mean), width: outputs, task: task, parameters: parameters,
            threshold: threshold,
            calibration: calibration)
    }
}

extension ScoreTable {
    private static let remedy = "or the probe's file before the scores"

    /// What the predictions are of.
    fileprivate func task() throws(DataError) -> ProbeTask {
        let count = rows[0].logits.count
        switch rows[0].label {
        case .none: return .regression(outputs: count)
        case .names:
            guard let outputs else {
                throw DataError(
                    .mismatch, path, expected: "names of the outputs, \(Self.remedy)",
                    found: "lists of labels, which do not say which output is whose")
            }
            return .multilabel(classes: outputs)
        case .name: break
        }
        if count == 1 { return .binary(classes: try pair()) }
        if let outputs { return .multiclass(classes: outputs) }
        var names = [String?](repeating: nil, count: count)
        for (number, row) in rows.enumerated() {
            guard case .name(let name) = row.label else { throw fault(number, "the name of a class", "none") }
            let top = row.logits.indices.max { row.logits[$0] < row.logits[$1] }!
            guard names[top] ?? name == name else {
                throw fault(number, "\(names[top]!), as other sequences with the same largest output", name)
            }
            names[top] = name
        }
        guard !names.contains(nil) else {
            let known = names.compactMap(\.self)
            throw DataError(
                .mismatch, path, expected: "a prediction of each of \(count) classes, \(Self.remedy)",
                found: "those of \(known.joined(separator: ", "))")
        }
        return .multiclass(classes: names.compactMap(\.self))
    }

    // The class of low logits and that of high ones.
    private func pair() throws(DataError) -> [String] {
        var ends: [String: (least: Float, most: Float)] = [:]
        for (number, row) in rows.enumerated() {
            guard case .name(let name) = row.label else { throw fault(number, "the name of a class", "none") }
            let own = ends[name] ?? (row.logits[0], row.logits[0])
            ends[name] = (min(own.least, row.logits[0]), max(own.most, row.logits[0]))
        }
        // In one order, also of classes that begin, or begin and end, with the same logit.
        let names = ends.map { ($0.value.least, $0.value.most, $0.key) }.sorted { $0 < $1 }.map(\.2)
        guard names.count == 2, ends[names[0]]!.most <= ends[names[1]]!.least else {
            throw DataError(
                .mismatch, path, expected: "predictions of two classes, one above the other, \(Self.remedy)",
                found: "those of " + names.sorted().joined(separator: ", "))
        }
        return names
    }

    /// 0.5 where that explains what is predicted, else the least probability that counted as present.
    fileprivate func threshold(_ task: ProbeTask) throws(DataError) -> Double {
        guard let classes = task.classes, task.hasThreshold else { return 0.5 }
        var (absent, present) = (-Float.infinity, Float.infinity)
        for row in rows {
            let names: [String] =
                switch row.label {
                case .name(let name): name == classes.last ? [name] : []
                case .names(let names): names
                case .none: []
                }
            for (o, probability) in row.probabilities.enumerated() {
                let isPresent = names.contains(task.isBinary ? classes[1] : classes[o])
                if isPresent {
                    present = min(present, probability)
                } else {
                    absent = max(absent, probability)
                }
            }
        }
        guard absent < present else {
            throw DataError(
                .mismatch, path, expected: "probabilities of present classes above those of absent ones",
                found: "\(absent) absent and \(present) present")
        }
        return absent < 0.5 && present >= 0.5 ? 0.5 : Double(present)
    }

    /// What maps logits to the probabilities that stand beside them; nil where that is the sigmoid.
    fileprivate var calibration: Calibration? {
        guard rows.allSatisfy({ $0.logits.count == 1 && $0.probabilities.count == 1 }) else { return nil }
        if case .names = rows[0].label { return nil }
        let sigmoid = ProbeTask.binary(classes: ["0", "1"])
        guard rows.contains(where: { abs(sigmoid.probabilities($0.logits)[0] - $0.probabilities[0]) > 1e-6 })
        else { return nil }
        var (logits, probabilities): ([Float], [Double]) = ([], [])
        for row in rows.sorted(by: { $0.logits[0] < $1.logits[0] }) where row.logits[0] != logits.last {
            logits.append(row.logits[0])
            probabilities.append(max(Double(row.probabilities[0]), probabilities.last ?? 0))
        }
        return .isotonic(logits: logits, probabilities: probabilities)
    }
}
