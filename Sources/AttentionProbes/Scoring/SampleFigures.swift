/// The figures of any sample of judged sequences: of all, of those of about one length, or of a draw of
/// the bootstrap, in which a sequence may be several times.
struct SampleFigures: Sendable {
    private enum Outcomes {
        case classes(labels: [Int], predictions: [Int], count: Int)
        /// Which sequences are predicted right in every class; and of each class and sequence 1 where it is
        /// labelled or predicted, 2 where it is both.
        case classSets(isRight: [Bool], marks: [[UInt8]])
        /// Of each output.
        case numbers(predictions: [[Float]], targets: [[Float]])
    }

    private let isBinary: Bool
    private let losses: [Double]
    private let outcomes: Outcomes
    // The second class (binary) or each class.
    private let classes: [ClassFigures]
    // Binary and multiclass.
    private let confidences: Confidences?

    /// - Parameters:
    ///   - losses: one a sequence.
    ///   - predictions: the classes of each sequence.
    ///   - classes: figures of the second class (binary) or of each; none for regression.
    ///   - confidences: nil for multilabel and regression.
    init(
        _ task: ProbeTask, losses: [Double], targets: Targets, predictions: [[Int]], logits: [[Float]],
        classes: [ClassFigures], confidences: Confidences? = nil
    ) {
        isBinary = task.isBinary
        self.losses = losses
        self.classes = classes
        self.confidences = confidences
        switch targets {
        case .classes(let labels):
            outcomes = .classes(
                labels: labels, predictions: predictions.map { $0[0] },
                count: isBinary ? 2 : classes.count)
        case .values(let values) where classes.isEmpty:
            let outputs = 0..<values.columns
            outcomes = .numbers(
                predictions: outputs.map { o in logits.map { $0[o] } },
                targets: outputs.map { o in losses.indices.map { values[$0, o] } })
        case .values:
            var marks = classes.map { $0.isLabelled.map { UInt8($0 ? 1 : 0) } }
            for (i, predicted) in predictions.enumerated() {
                for c in predicted { marks[c][i] += 1 }
            }
            outcomes = .classSets(
                isRight: losses.indices.map { i in !marks.contains { $0[i] == 1 } }, marks: marks)
        }
    }

    /// The figures of a sample that it has, by their names in JSON.
    func callAsFunction(_ sample: [Int]) -> [String: Double] {
        var counts = [UInt32](repeating: 0, count: losses.count)
        for index in sample { counts[index] += 1 }
        var figures: [String: Double?] = ["loss": mean(sample.map { losses[$0] })]
        switch outcomes {
        case .classes(let labels, let predictions, let count):
            let matrix = ConfusionMatrix(
                labels: sample.map { labels[$0] }, predictions: sample.map { predictions[$0] }, classes: count
            )
            figures["accuracy"] = matrix.accuracy
            figures["balanced_accuracy"] = matrix.balancedAccuracy
            figures["f1"] = isBinary ? matrix.f1(1) : matrix.macroF1
        case .classSets(let isRight, let marks):
            figures["accuracy"] = Double(sample.count { isRight[$0] }) / Double(sample.count)
            figures["f1"] = mean(marks.compactMap { Self.f1($0, counts) })
        case .numbers(let predictions, let targets):
            figures["r2"] = mean(
                zip(predictions, targets).compactMap { predictions, targets in
                    r2Score(sample.map { predictions[$0] }, sample.map { targets[$0] })
                })
            figures["mean_squared_error"] = figures["loss"]
        }
        let areas = classes.map { $0.order.areas(counts) }
        figures["auroc"] = mean(areas.compactMap(\.auroc))
        figures["average_precision"] = mean(areas.compactMap(\.averagePrecision))
        if isBinary {
            let curve = RankingCurve(classes[0].order, scores: classes[0].scores, counts: counts)
            figures["recall_at_0_1_fpr"] = curve.recall(atFalsePositiveRate: 0.001)
            figures["recall_at_1_fpr"] = curve.recall(atFalsePositiveRate: 0.01)
            figures["recall_at_5_fpr"] = curve.recall(atFalsePositiveRate: 0.05)
        }
        if let confidences {
            figures["brier_score"] = confidences.brierScore(sample)
            figures["expected_calibration_error"] = confidences.calibrationError(sample)
        }
        return figures.compactMapValues(\.self)
    }

    // Of one class; 0 where no sequence has it at all. nil where only this sample lacks it: as in the
    // areas, it does not count there, or a class of few sequences would pull every interval down.
    private static func f1(_ marks: [UInt8], _ counts: [UInt32]) -> Double? {
        var (hits, named): (UInt32, UInt32) = (0, 0)
        for (mark, count) in zip(marks, counts) {
            named &+= UInt32(mark) &* count
            hits &+= mark == 2 ? count : 0
        }
        guard named == 0 else { return 2 * Double(hits) / Double(named) }
        return marks.contains { $0 > 0 } ? nil : 0
    }

    /// 95 % intervals of the figures, by their names in JSON; of a figure that some draw lacks, none.
    ///
    /// Draws keep the number of each class (binary, multiclass). With several labels a sequence, as with
    /// numbers, there is no such number to keep, and sequences are drawn from all.
    func intervals(_ bootstrap: Bootstrap, threads: Int) throws -> [String: ClosedRange<Double>] {
        var strata = [Array(losses.indices)]
        if case .classes(let labels, _, let count) = outcomes {
            strata = (0..<count).map { c in labels.indices.filter { labels[$0] == c } }
        }
        let names = callAsFunction(Array(losses.indices)).keys.sorted()
        let found = try bootstrap.intervals(strata: strata, threads: threads) { draw in
            let figures = callAsFunction(draw)
            return names.map { figures[$0] }
        }
        return Dictionary(uniqueKeysWithValues: zip(names, found)).compactMapValues(\.self)
    }
}
