import AttentionProbes
@testable import ProbeSelection
@testable import Activations
import TestSupport
import Testing

@Suite("Folds")
struct FoldTests {
    @Test func foldsAreStratifiedAndKeepGroups() throws {
        let data = grouped(try needleSet(count: 96), of: 4)
        let folds = try data.folds(4, seed: 3)
        let (same, other) = (try data.folds(4, seed: 3), try data.folds(4, seed: 4))
        #expect(folds == same && folds != other)
        for fold in 0..<4 {
            let held = folds.heldOut(fold)
            #expect(held.count == 24 && held.count { $0 % 2 == 1 } == 12)
            #expect(Set(held.map { $0 / 4 }).isDisjoint(with: folds.training(fold).map { $0 / 4 }))
            #expect((held + folds.training(fold)).sorted() == Array(0..<96))
        }
    }

    @Test func classesTooSmallForFoldsAreRefused() throws {
        let batch = try randomBatch(lengths: Array(repeating: 3, count: 8), width: 4, seed: 1)
        func set(_ labels: [Int], _ groups: [Int]? = nil) throws -> ActivationSet {
            try ActivationSet([
                ActivationFile(batch, targets: .classes(labels), classes: ["no", "yes"], groups: groups)
            ])
        }
        func fault(_ labels: [Int], _ groups: [Int]? = nil) -> String {
            do {
                _ = try set(labels, groups).folds(3, seed: 0)
                return "none"
            } catch { return "\(error)" }
        }
        #expect(
            fault([0, 0, 0, 0, 0, 0, 1, 1]).contains("at least 3 sequences of class yes, one a fold, found 2")
        )
        #expect(
            fault([0, 0, 0, 0, 1, 1, 1, 1], [0, 1, 2, 3, 9, 9, 9, 9])
                .contains("of class yes, one a fold, found one group that holds all 4"))
        #expect(fault([0, 0, 0, 0, 1, 1, 1, 1], [0, 1, 2, 3, 4, 4, 5, 5]).contains("found 2"))
        #expect(fault([0, 0, 0, 0, 1, 1, 1, 1]) == "none")
    }

    @Test(arguments: 0..<4 as Range<UInt64>)
    func severalLabelsAreSpreadOverFolds(seed: UInt64) throws {
        let batch = try randomBatch(lengths: Array(repeating: 2, count: 90), width: 4, seed: 2)
        // 9, 30 and 45 sequences; some have all three labels, some none.
        let values = (0..<90).flatMap {
            [$0 % 10 == 3 ? 1 : 0, $0 % 3 == 0 ? 1 : 0, $0 % 2 == 1 ? 1 : 0] as [Float]
        }
        let matrix = Matrix(rows: 90, columns: 3, storage: values)
        let data = try ActivationSet([
            ActivationFile(batch, targets: .values(matrix), classes: ["a", "b", "c"])
        ])
        let folds = try data.folds(3, seed: seed)
        for fold in 0..<3 {
            let held = folds.heldOut(fold)
            let counts = (0..<3).map { label in held.count { matrix[$0, label] == 1 } }
            #expect(
                abs(counts[0] - 3) <= 1 && abs(counts[1] - 10) <= 2 && abs(counts[2] - 15) <= 2, "\(counts)")
            #expect(abs(held.count - 30) <= 3)
        }
    }

    // Labels of one size, so that folds are often as full as others: sums in another order would break such a tie differently.
    @Test func foldsDoNotDependOnTheOrderOfLabels() throws {
        let (count, labels) = (70, 10)
        let batch = try randomBatch(lengths: Array(repeating: 1, count: count), width: 2, seed: 5)
        for seed in 0..<100 as Range<UInt64> {
            var generator = SeededGenerator(seed: seed)
            let columns = (0..<labels).map { _ in
                (0..<count).map { $0 < 7 ? 1 : 0 as Float }.shuffled(using: &generator)
            }
            func folds(_ order: [Int]) throws -> Folds {
                let values = (0..<count).flatMap { row in order.map { columns[$0][row] } }
                return try ActivationSet([
                    ActivationFile(
                        batch, targets: .values(Matrix(rows: count, columns: labels, storage: values)),
                        classes: order.map { "label \($0)" })
                ]).folds(3, seed: seed)
            }
            #expect(try folds(Array(0..<labels)) == folds((0..<labels).shuffled(using: &generator)))
        }
    }

    // One label for several a sequence, that few have: folds have no classes to keep.
    @Test func foldsWithoutAFigureAreTriedAnewOrRefused() throws {
        let batch = try randomBatch(lengths: Array(repeating: 2, count: 60), width: 4, seed: 2)
        var selection = Selection([fewCandidates()[0]])
        func split(_ values: [Float], _ folds: Int, _ task: ProbeTask) throws -> Folds {
            let targets = Targets.values(Matrix(rows: 60, columns: 1, storage: values))
            selection.folds = folds
            return try selection.split(
                ActivationSet([ActivationFile(batch, targets: targets, classes: task.classes)]), task: task)
        }
        let (labels, numbers) = (ProbeTask.multilabel(classes: ["rare"]), ProbeTask.regression(outputs: 1))
        let rare = (0..<60).map { Float($0 % 20 == 7 ? 1 : 0) }
        for seed in 0..<4 {
            selection.seed = UInt64(seed)
            let folds = try split(rare, 3, labels)
            #expect((0..<3).allSatisfy { fold in folds.heldOut(fold).contains { rare[$0] == 1 } })
        }
        func fault(_ values: [Float], _ task: ProbeTask) -> String {
            do {
                _ = try split(values, 4, task)
                return "none"
            } catch { return "\(error)" }
        }
        #expect(fault(rare, labels).contains("vary within each of 4 folds, as AUROC needs, found none in 32"))
        #expect(fault(rare, numbers).contains("as R² needs"))
        #expect(fault(rare.map { _ in 0.1 }, numbers).contains("R² is defined, found the same for all 60"))
        // A loss is always defined.
        selection.metric = .loss
        #expect(fault(rare, labels) == "none" && fault(rare.map { _ in 0.1 }, numbers) == "none")
    }

    // A look at some sequences says what a look at all of them says, of every metric.
    @Test func aMetricIsDefinedWhereItIsOfAllSequences() throws {
        var generator = SeededGenerator(seed: 4)
        let tasks: [ProbeTask] = [
            .binary(classes: ["a", "b"]), .multiclass(classes: ["a", "b", "c"]),
            .multilabel(classes: ["a", "b"]), .regression(outputs: 2),
        ]
        var found = Set<[Bool]>()
        for task in tasks {
            for round in 0..<60 {
                // Often all the same, or few that differ.
                let rare = [0, 0.05, 0.5][round % 3]
                func number() -> Float {
                    Float.random(in: 0..<1, using: &generator) < Float(rare) ? 0.9 : 0.1
                }
                let targets: Targets =
                    switch task.kind {
                    case .binary where round % 2 == 0: .probabilities((0..<30).map { _ in number() })
                    case .binary: .classes((0..<30).map { _ in number() > 0.5 ? 1 : 0 })
                    case .multiclass: .classes((0..<30).map { _ in number() > 0.5 ? round % 2 + 1 : 0 })
                    default: .values(Matrix(rows: 30, columns: 2, storage: (0..<60).map { _ in number() }))
                    }
                let rows = (0..<30).filter { _ in Bool.random(using: &generator) } + [3]
                let outputs = Matrix(rows: rows.count, columns: task.outputs)
                for metric in Metric.all {
                    let isDefined = metric.score(outputs, targets.selecting(rows), task) != nil
                    #expect(
                        metric.isDefined(targets, rows, task) == isDefined,
                        "\(metric.name), \(task), \(targets)")
                    found.insert([isDefined, targets.hardClasses == nil])
                }
            }
        }
        #expect(found.count == 4)
    }

    @Test func foldsOfMixedGroupsHaveEveryClass() throws {
        let batch = try randomBatch(lengths: Array(repeating: 2, count: 24), width: 2, seed: 9)
        for seed in 0..<200 as Range<UInt64> {
            var generator = SeededGenerator(seed: seed)
            let labels = (0..<24).map { _ in Int.random(in: 0..<3, using: &generator) }
            let groups = (0..<24).map { _ in Int.random(in: 0..<9, using: &generator) }
            let set = try ActivationSet([
                ActivationFile(batch, targets: .classes(labels), classes: ["a", "b", "c"], groups: groups)
            ])
            // Refused in a sentence, or every class in every fold.
            guard let folds = try? set.folds(3, seed: seed) else { continue }
            for fold in 0..<3 {
                #expect(Set(folds.heldOut(fold).map { labels[$0] }) == Set(labels))
            }
        }
    }

    // roc_auc_score(…, multi_class="ovr", average="macro") and the mean of average_precision_score a
    // class, of the softmax in float64 (scikit-learn 1.9); ties included.
    @Test func macroMetricsAreThoseOfScikitLearn() throws {
        let logits: [Float] = [
            2, 1, 0, 0.5, 0.5, 0.5, 0, 2, 1, 1, 0, 2, 2, 1, 0, 0, 0, 1, 1, 1, 0, 0.25, 1.5, 1.25, 3, 2.5, 2,
            0, 1, 0,
        ]
        let targets = Targets.classes([0, 1, 1, 2, 0, 2, 0, 1, 2, 0])
        let task = ProbeTask.multiclass(classes: ["a", "b", "c"])
        let matrix = Matrix(rows: 10, columns: 3, storage: logits)
        let area = try #require(Metric.auroc.score(matrix, targets, task))
        let precision = try #require(Metric.averagePrecision.score(matrix, targets, task))
        #expect(abs(area - 0.8263888888888888) < 1e-12)
        #expect(abs(precision - 0.7925264550264549) < 1e-12)
        // The same with sample_weight, and accuracy_score and balanced_accuracy_score.
        let weights: [Float] = [1, 0.5, 2, 0.25, 3, 1, 0.5, 2, 0.25, 3]
        let weighted: [(Metric, Double)] = [
            (.auroc, 0.8672325102880659), (.averagePrecision, 0.8447681704260651),
            (.accuracy, 0.7222222222222222), (.balancedAccuracy, 0.7740740740740741),
        ]
        for (metric, expected) in weighted {
            let value = try #require(metric.score(matrix, targets, task, weights: weights))
            #expect(abs(value - expected) < 1e-12, "\(metric.name)")
        }
    }

    @Test func nearDuplicatesAreFound() throws {
        let data = try needleSet(count: 40)
        #expect(try data.nearDuplicates() == nil)
        let twice = data.selecting(Array(data.indices) + [7])
        #expect(try twice.nearDuplicates() == NearDuplicates(sequences: 2, example: (7, 40)))
        // What counts is how they differ from the others, not where all of them lie.
        #expect(try data.moved(by: 1000).nearDuplicates() == nil)
    }
}
