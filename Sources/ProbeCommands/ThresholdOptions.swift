import ArgumentParser
import AttentionProbes

/// Options of a threshold with a bound on false positives.
struct ThresholdOptions: ParsableArguments {
    @Option(
        name: [.customLong("fpr"), .customLong("false-positive-rate")],
        help: "Set the threshold so that at most this fraction of negatives is above it (binary).")
    var falsePositiveRate: Double?
    @Option(help: "How sure the rate is to hold for new data. (default: 0.95)")
    var confidence: Double?
    @Flag(
        help: """
            With --fpr: the threshold is for sequences that are looked at after every token and flagged as soon as \
            the text so far reaches it.
            """)
    var streaming = false

    func validate() throws {
        for (name, value) in [("fpr", falsePositiveRate), ("confidence", confidence)] {
            try require(value, name, "a number between 0 and 1") { $0 > 0 && $0 < 1 }
        }
        for (name, isGiven) in [("confidence", confidence != nil), ("streaming", streaming)]
        where isGiven && falsePositiveRate == nil {
            throw ValidationError("--\(name): expected it only with --fpr")
        }
    }

    /// Refuses so few negatives that no threshold can keep the rate.
    func check(negatives: Int, _ data: ActivationSet) throws {
        guard let falsePositiveRate else { return }
        try errors(data) {
            try ThresholdRule.check(
                falsePositiveRate: falsePositiveRate, confidence: confidence ?? 0.95, negatives: negatives)
        }
    }

    /// Runs something, with its fault as an error that names the data.
    func errors<R>(_ data: ActivationSet, _ body: () throws -> R) throws -> R {
        do {
            return try body()
        } catch let fault as ThresholdRule.Fault {
            throw DataError(
                .labels, data.files[0].path, "threshold", expected: fault.expected, found: fault.found)
        }
    }
}

extension ThresholdRule {
    /// What a threshold that was found by this rule promises.
    func sentence(_ threshold: Double) -> String {
        let kind = isStreaming ? "negatives reached it at some token" : "negatives at or above it"
        return "threshold \(significant(threshold)): \(falsePositives) of \(negatives) \(kind); at most "
            + "\(significant(bound)) of new ones, with confidence \(confidence)"
    }
}
