import AttentionProbes
import Foundation

/// Choosing a probe by cross-validation on the examples: linear probes on pooled states against scikit-learn's
/// `GridSearchCV` over the same pools, penalties and folds, and what `--select` tries, which scikit-learn has not.
struct SearchTime {
    let threads: Int
    let rounds: Int
    let peers: Peers?

    private static let penalties: [Float] = [0.001, 0.01, 0.1, 1]
    private static let kinds: [ProbeKind] = [.mean, .last, .absmax]

    func run() throws -> Case {
        let data = try ActivationSet(paths: ["Examples/injection-train.safetensors"])
        let test = try ActivationSet(paths: ["Examples/injection-test.safetensors"])
        let task = try data.task()
        let folds = try data.folds(10, seed: 0)
        func selection(_ candidates: [Candidate]) -> Selection {
            var selection = Selection(candidates)
            (selection.folds, selection.threads) = (folds.count, threads)
            return selection
        }
        let linear = selection(
            Self.kinds.flatMap { kind in
                Self.penalties.map { penalty in
                    var options = TrainingOptions.suited(to: kind, task)
                    (options.l2, options.threads) = (penalty, threads)
                    return Candidate(ProbeConfiguration(kind), options)
                }
            })
        var usual = selection(CandidateGrid().candidates(for: task) { $0.options.threads = threads })
        usual.mostRows = Selection.usualRows(average: usual.average)
        func auroc(_ selection: Selection) throws -> Double {
            let probe = try selection.run(data).probe
            return try probe.evaluate(test).metrics.first { $0.metric.key == "auroc" }!.value
        }
        var variants = [
            Variant("AttentionProbes, linear") { _ = try linear.run(data) },
            Variant("AttentionProbes, --select") { _ = try usual.run(data) },
        ]
        var judged = try zip(variants, [linear, usual]).map { "\($0.name) \(thousandths(try auroc($1)))" }
        // The files that peers read are there as long as it is.
        let folder = try ScratchFolder()
        if let peers {
            let paths = (folder("training.safetensors"), folder("validation.safetensors"))
            // Folds stand in the place of groups.
            try data.grouped(folds.assignment).write(to: paths.0, as: .f32)
            try test.write(to: paths.1, as: .f32)
            let names = try peers.loadSearch(
                activations: paths.0, validation: paths.1, pools: Self.kinds.map(\.rawValue),
                penalties: Self.penalties.map(Double.init), threads: threads)
            for name in names {
                judged.append("\(name) \(thousandths(Double(try peers.run(name).result[0])))")
                variants.append(.clocked(name) { try peers.run(name).seconds })
            }
        }
        let timings = try withExtendedLifetime(folder) { try interleaved(rounds, variants) }
        return Case(
            section:
                "choosing by ten folds, \(linear.candidates.count) linear candidates or \(usual.candidates.count)",
            shape: "N \(data.count), D \(data.width)",
            tokens: data.tokenCount, bytes: Double(data.tokenCount * data.width * 4), operations: 0,
            roofline_seconds: nil,
            ways: zip(variants, timings).map { Case.Way(name: $0.name, timing: $1) },
            notes: ["AUROC on other documents: " + judged.joined(separator: ", ")])
    }
}
