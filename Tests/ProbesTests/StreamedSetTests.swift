import AttentionProbes
import TestSupport
import Testing

@Suite("Sequences that are judged while they are read")
struct StreamedSetTests {
    /// The largest probability and the first flag are those of all prefixes as sequences of their own.
    @Test(arguments: streamedConfigurations)
    func byEveryPrefix(configuration: ProbeConfiguration) throws {
        let width = 6
        let lengths = [1, 30, 47]
        let tokens = lengths.enumerated().map { randomFloats($1 * width, seed: UInt64($0 + 1)) }
        let plain = Probe.random(configuration, width: width, outputs: 1, seed: 3)
        let prefixes = try zip(tokens, lengths).map { tokens, length in
            try plain.scoresOfPrefixes(tokens, lengths: Array(1...length)).map { $0![0] }
        }
        // In the widest gap between probabilities of prefixes, so that rounding flags none of them.
        let all = prefixes.map { $0.map { plain.task.probabilities(CollectionOfOne($0))[0] } }
        let sorted = Set(all.joined()).sorted()
        let gaps = zip(sorted, sorted.dropFirst())
        let (below, above) = try #require(gaps.max { $0.1 - $0.0 < $1.1 - $1.0 })
        let middle = (below + above) / 2
        let probe = plain.deployed(threshold: Double(middle), calibration: nil)
        let data = try ActivationSet([ActivationFile(RaggedBatch(tokens, width: width))])
        let streamed = try probe.streamed(data, threads: 2)
        let largest = prefixes.map { $0.max()! }
        #expect(relativeError(streamed.largestLogits, largest) < 1e-5)
        #expect(streamed.firstFlags == all.map { $0.firstIndex { $0 > middle }.map { $0 + 1 } })
        #expect(streamed.sequences.map(\.tokens) == lengths)
        #expect(relativeError(streamed.sequences.map(\.lastLogit), prefixes.map { $0.last! }) < 1e-5)
        #expect(streamed.sequences.map(\.isFlaggedAtTheEnd) == all.map { $0.last! > middle })
        #expect(try streamed.metrics() == nil, "there are no labels")
    }

    /// A token out of sight counts as a position: the flag comes at its place in the text.
    @Test func masked() throws {
        let probe = Probe(
            ProbeConfiguration(.max), width: 1, task: .binary(classes: ["no", "yes"]), parameters: [1, 0],
            threshold: 0.9)
        let batch = try RaggedBatch(
            tokens: TokenMatrix([9, 0, 9, 5, 1], columns: 1), offsets: [0, 5],
            tokenMask: [false, true, false, true, true])
        let streamed = try probe.streamed(ActivationSet([ActivationFile(batch)]))
        #expect(streamed.firstFlags == [4] && streamed.largestLogits == [5])
    }

    /// Isotonic probabilities tie many sequences; the finished ones rank as in an evaluation all the same.
    @Test func calibrationMakesNoTies() throws {
        let data = try needleSet(count: 60, width: 4)
        let plain = try Trainer(.mean).fit(data).probe
        let logits = try plain.scores(data).logits.storage
        let isotonic = try #require(
            Calibration(.isotonic, logits: logits, isPositive: data.indices.map { $0 % 2 == 1 }))
        let probe = plain.deployed(threshold: 0.5, calibration: isotonic)
        let metrics = try #require(try probe.streamed(data).metrics())
        let evaluation = try probe.evaluate(data)
        #expect(metrics.finished.curve.auroc == evaluation.auroc)
        let tied = RankingCurve(
            scores: logits.map { isotonic($0) }, isPositive: data.indices.map { $0 % 2 == 1 })
        #expect(tied.auroc != evaluation.auroc, "ties would make a difference here")
        let counts = try #require(evaluation.confusionMatrix?.counts)
        #expect(metrics.finished.recall?.flagged == counts[1][1])
        #expect(metrics.finished.falsePositiveRate?.flagged == counts[0][1])
    }

    @Test func severalClasses() throws {
        let data = try needleSet(count: 4, width: 2)
        let probe = Probe(
            .mean, width: 2, task: .multiclass(classes: ["a", "b", "c"]),
            parameters: Array(repeating: 0, count: 9))
        let error = try #require(throws: DataError.self) {
            try probe.streamed(data.selecting([0]).withoutLabels())
        }
        #expect("\(error)".contains("expected two classes"), "\(error)")
    }
}

extension ActivationSet {
    fileprivate func withoutLabels() throws -> ActivationSet {
        try ActivationSet(files.map { ActivationFile($0.batch) })
    }
}
