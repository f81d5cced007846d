import AttentionProbes
@testable import Activations
import TestSupport
import Testing

@Suite("What labels mean")
struct LabelTests {
    private func set(_ targets: Targets, _ classes: [String]? = nil, groups: [Int]? = nil) throws
        -> ActivationSet
    {
        let batch = try randomBatch(lengths: Array(repeating: 2, count: targets.count), width: 3, seed: 1)
        return try ActivationSet([ActivationFile(batch, targets: targets, classes: classes, groups: groups)])
    }

    private func column(_ values: Float...) -> Targets {
        .values(Matrix(rows: values.count, columns: 1, storage: values))
    }

    private func error(_ body: () throws -> Void) throws -> String {
        "\(try #require(throws: DataError.self) { try body() })"
    }

    @Test func asManyAsSequences() throws {
        let folder = try TemporaryFolder()
        for (offsets, words) in [
            ([0, 3], "expected 1 row, one a sequence, or 3, one a row of pooled states, found shape [2]"),
            ([0, 1, 2, 3], "expected 3 rows, one a sequence, found shape [2]"),
        ] {
            let file = LiteralActivations().with(
                "offsets", "I64", [offsets.count], offsets.flatMap { integerBytes($0) })
            let path = try folder.write(file.file, to: "data")
            #expect(try error { _ = try ActivationSet(paths: [path]) }.hasSuffix(words))
        }
    }

    // Classes are those that occur, called by their values.
    @Test(arguments: [
        ([10, 65000, 10, 65000], ["10", "65000"]), ([-1, 1, 1, -1], ["-1", "1"]),
        ([1, 2, 2, 1], ["1", "2"]),
        ([2019, 2021, 2020, 2021], ["2019", "2020", "2021"]), ([0, 4, 4, 0], ["0", "4"]),
    ])
    func classesThatOccur(labels: [Int], names: [String]) throws {
        let data = try set(.classes(labels))
        let task = try data.task()
        #expect(task == (names.count == 2 ? .binary(classes: names) : .multiclass(classes: names)))
        let read = try data.labelled(for: task)
        #expect(
            read.classes == names && read.targets == .classes(labels.map { names.firstIndex(of: "\($0)")! }))
        #expect(try read.labelled(for: task).targets == read.targets)
        // Whole numbers are also numbers to predict.
        let regression = try data.task(named: "regression")
        let numbers = labels.map { Float($0) }
        #expect(
            try data.labelled(for: regression).targets
                == .values(Matrix(rows: 4, columns: 1, storage: numbers)))
        // A probe of few classes, and what it was trained on, which is as stored.
        let probe = try Trainer(.mean).fit(data).probe
        #expect(probe.task == task && data.targets == .classes(labels))
        #expect(try probe.evaluate(data).confusionMatrix?.counts.count == names.count)
    }

    // Which task labels of a type and shape are of.
    @Test(
        arguments: [
            ("I64", [2], integerBytes(-1, 1), "binary"),
            ("I32", [2], Array([1, 0, 0, 0, 2, 0, 0, 0]), "binary"),
            ("U8", [2], [0, 1], "binary"), ("BOOL", [2], [1, 0], "binary"), ("I8", [2], [0xFF, 1], "binary"),
            ("I16", [2], [0xFF, 0xFF, 1, 0], "binary"), ("U16", [2], [0xE8, 0xFD, 10, 0], "binary"),
            ("U32", [2], [1, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF], "binary"),
            ("F32", [2], floatBytes(0, 1), "binary"), ("F32", [2, 1], floatBytes(1, 0), "binary"),
            ("F64", [2], doubleBytes(-1, 1), "binary"), ("F16", [2], [0, 0, 0, 0x3C], "binary"),
            ("I64", [2, 1], integerBytes(0, 1), "binary"), ("U8", [2, 1], [0, 1], "binary"),
            ("F32", [2], floatBytes(1, 2), "regression"), ("F32", [2], floatBytes(0, 1.5), "regression"),
            ("U8", [2, 2], [0, 1, 1, 1], "multilabel"), ("BOOL", [2, 2], [0, 1, 1, 1], "multilabel"),
            ("I32", [2, 1], Array([3, 0, 0, 0, 4, 0, 0, 0]), "binary"),
        ] as [(String, [Int], [UInt8], String)])
    func typesOfLabels(type: String, shape: [Int], bytes: [UInt8], task: String) throws {
        let folder = try TemporaryFolder()
        let file = LiteralActivations().with("labels", type, shape, bytes)
            .described(by: #"{"format":"attention-probes/activations","version":"1"}"#)
        let data = try ActivationSet(paths: [folder.write(file.file, to: "data")])
        #expect(try data.task().name == task)
        guard shape == [2] || shape == [2, 1] else { return }
        #expect(try data.task(named: "regression") == .regression(outputs: 1))
        #expect(try data.labelled(for: .regression(outputs: 1)).targets?.count == 2)
    }

    @Test func valuesOfEveryType() throws {
        let folder = try TemporaryFolder()
        func numbers(_ type: String, _ bytes: [UInt8]) throws -> Targets? {
            let file = LiteralActivations().with("labels", type, [2], bytes)
                .described(by: #"{"format":"attention-probes/activations","version":"1"}"#)
            return try ActivationSet(paths: [folder.write(file.file, to: "data")]).targets
        }
        #expect(try numbers("I8", [0xFF, 1]) == .classes([-1, 1]))
        #expect(try numbers("I16", [0xFE, 0xFF, 1, 2]) == .classes([-2, 513]))
        #expect(try numbers("U16", [0xE8, 0xFD, 10, 0]) == .classes([65000, 10]))
        #expect(try numbers("I32", [0xFF, 0xFF, 0xFF, 0xFF, 7, 0, 0, 0]) == .classes([-1, 7]))
        #expect(try numbers("U32", [0xFF, 0xFF, 0xFF, 0xFF, 7, 0, 0, 0]) == .classes([4_294_967_295, 7]))
    }

    // A column is of the classes that the file names, also where it is one of floats.
    @Test(
        arguments: [
            ("I64", [2, 1], integerBytes(1, 0)), ("F32", [2], floatBytes(1, 0)),
            ("F32", [2, 1], floatBytes(1, 0)),
            ("BOOL", [2], [1, 0]),
        ] as [(String, [Int], [UInt8])])
    func columnsWithNames(type: String, shape: [Int], bytes: [UInt8]) throws {
        let folder = try TemporaryFolder()
        func open(_ bytes: [UInt8], _ classes: String) throws -> ActivationSet {
            let file = LiteralActivations().with("labels", type, shape, bytes).described(
                by:
                    "{\"format\":\"attention-probes/activations\",\"version\":\"1\",\"classes\":\"\(classes)\"}"
            )
            return try ActivationSet(paths: [folder.write(file.file, to: "data")])
        }
        let data = try open(bytes, #"[\"no\",\"yes\"]"#)
        #expect(try data.task() == .binary(classes: ["no", "yes"]) && data.targets == .classes([1, 0]))
        let words = try error { _ = try data.task(named: "regression") }
        #expect(words.contains("expected labels of a regression task, found names of classes, as no"))
        guard shape == [2, 1] else { return }
        // One name: which sequences have it.
        #expect(try open(bytes, #"[\"rude\"]"#).task() == .multilabel(classes: ["rude"]))
    }

    @Test func classesAreMatchedByName() throws {
        let task = ProbeTask.multiclass(classes: ["a", "b", "c"])
        func read(_ labels: [Int], _ classes: [String]?, _ task: ProbeTask = task) throws -> Targets? {
            try set(.classes(labels), classes).labelled(for: task).targets
        }
        #expect(try read([1, 0], ["a", "c"]) == .classes([2, 0]))
        #expect(try read([0, 1], ["c", "a", "d"].dropLast() + ["d"]) == .classes([2, 0]))
        #expect(
            try error { _ = try read([0, 2], ["a", "c", "d"]) }.hasSuffix(
                "sequence 1: expected a, b or c, found d"))
        // Without names values are indices, or those that name classes.
        #expect(try read([2, 0], nil) == .classes([2, 0]))
        #expect(
            try error { _ = try read([0, 3], nil) }.hasSuffix(
                "sequence 1: expected a class from 0 to 2, found 3"))
        let years = ProbeTask.multiclass(classes: ["2019", "2020", "2021"])
        #expect(try read([2021, 2019], nil, years) == .classes([2, 0]))
        #expect(
            try error { _ = try read([2019, 0], nil, years) }.hasSuffix(
                "expected 2019, 2020 or 2021, found 0"))
        let ones = ProbeTask.binary(classes: ["1", "0"])
        #expect(try read([0, 1, 1], nil, ones) == .classes([1, 0, 0]))
        #expect(try set(column(0, 1), nil).labelled(for: ones).targets == .classes([1, 0]))
        // A number between is the probability of 1, which is the first class here.
        #expect(try set(column(0.25, 1), nil).labelled(for: ones).targets == .probabilities([0.75, 0]))
    }

    @Test func severalLabelsAreMatchedByName() throws {
        let task = ProbeTask.multilabel(classes: ["a", "b", "c"])
        let data = try set(.values(Matrix(rows: 2, columns: 2, storage: [1, 0, 1, 1])), ["c", "a"])
        #expect(
            try data.labelled(for: task).targets
                == .values(Matrix(rows: 2, columns: 3, storage: [0, 0, 1, 1, 0, 1])))
        let other = try set(.values(Matrix(rows: 2, columns: 2, storage: [1, 0, 1, 1])), ["a", "d"])
        #expect(
            try error { _ = try other.labelled(for: task) }
                .hasSuffix("sequence 1: expected names among a, b or c, found d"))
        // A name that nobody has is none.
        let unused = try set(.values(Matrix(rows: 2, columns: 2, storage: [1, 0, 1, 0])), ["a", "d"])
        #expect(
            try unused.labelled(for: task).targets
                == .values(Matrix(rows: 2, columns: 3, storage: [1, 0, 0, 1, 0, 0])))
        #expect(throws: DataError.self) {
            try set(.values(Matrix(rows: 1, columns: 3, storage: [1, 0, 3]))).labelled(for: task)
        }
    }

    @Test func onlyOneClass() throws {
        #expect(
            try error { _ = try set(.classes([7, 7])).task() }.hasSuffix(
                "at least two classes, found only class 7"))
        #expect(try set(.classes([7, 7])).task(named: "regression") == .regression(outputs: 1))
        #expect(try error { _ = try set(column(1, 1)).task() }.contains("only class 1"))
    }

    // The parts have the same share of each class, whatever its value.
    @Test func partsOfSparseClasses() throws {
        let labels = (0..<40).map { $0 % 2 == 0 ? -5 : 1_000_000_000_000 }
        let data = try set(.classes(labels))
        let dense = try data.labelled(for: data.task())
        let (first, second) = data.split(fraction: 0.25, seed: 3)
        #expect(second.count { labels[$0] < 0 } == 5 && second.count == 10)
        #expect(dense.split(fraction: 0.25, seed: 3) == (first, second))
    }

    @Test func thePositiveClass() throws {
        let task = ProbeTask.binary(classes: ["attack", "benign"])
        #expect(task.positiveClass == "benign" && task.positive("benign") == task)
        let chosen = try #require(task.positive("attack"))
        #expect(chosen == .binary(classes: ["benign", "attack"]) && task.positive("other") == nil)
        #expect(ProbeTask.multiclass(classes: ["a", "b"]).positive("a") == nil)

        let labels = (0..<20).map { $0 % 2 }
        let named = try set(.classes(labels), ["attack", "benign"])
        let (plain, turned) = (
            try Trainer(.mean).fit(named).probe, try Trainer(.mean).fit(named, task: chosen).probe
        )
        let figures = (try plain.evaluate(named), try turned.evaluate(named))
        #expect(figures.0.auroc == figures.1.auroc && figures.0.byClass[0].name == "benign")
        #expect(figures.1.byClass[0].name == "attack" && figures.1.byClass[0].isLabelled[0])
        #expect(turned.training["positive"] == "attack" && plain.training["positive"] == nil)
        let turn = abs(
            try plain.scores(named).logits[0, 0] + turned.scores(named).logits[0, 0])
        #expect(turn < 1e-3)
        // Indices alone say nothing of the order that was chosen.
        let indices = try set(.classes(labels))
        _ = try plain.evaluate(indices)
        for attempt in [
            { _ = try turned.evaluate(indices) }, { _ = try turned.lossGradient(indices) },
            { _ = try ProbeReport(turned, indices) },
            { _ = try Trainer(.mean).fit(named, validation: indices, task: chosen) },
            { try named.labelled(for: chosen).checkFits(indices, chosen) },
        ] {
            #expect(try error { try attempt() }.contains("expected the name of a class"))
        }
        // Values that name classes do.
        let numbers = try set(.classes(labels))
        let zero = try Trainer(.mean).fit(numbers, task: .binary(classes: ["1", "0"])).probe
        #expect(zero.training["positive"] == nil)
        #expect(try zero.evaluate(numbers).byClass[0].isLabelled[0])
        #expect(
            try zero.lossGradient(numbers).loss == zero.lossGradient(numbers.labelled(for: zero.task)).loss)
    }

    @Test func countsOfLabels() throws {
        #expect(try set(.classes([10, 65000, 10])).labelCounts == ["10": 2, "65000": 1])
        #expect(try set(.classes([1, 0, 1]), ["no", "yes"]).labelCounts == ["no": 1, "yes": 2])
        #expect(try set(column(0, 1, 1)).labelCounts == ["0": 1, "1": 2])
        #expect(try set(column(0, 1, 2)).labelCounts == nil)
        let several = Targets.values(Matrix(rows: 2, columns: 2, storage: [0, 1, 1, 1]))
        #expect(try set(several, ["a", "b"]).labelCounts == ["a": 1, "b": 2])
    }

    // Candidates are compared, and folds made, by the classes of the task.
    @Test func selectionOnSparseClasses() throws {
        let source = try needleSet(count: 60, width: 4)
        let labels = (0..<60).map { $0 % 2 == 0 ? -7 : 70000 }
        let file = ActivationFile(source.files[0].batch, targets: .classes(labels))
        let data = try ActivationSet([file])
        var grid = CandidateGrid()
        grid.kinds = [.mean]
        let task = ProbeTask.binary(classes: ["70000", "-7"])
        var selection = Selection(grid.candidates(for: task))
        selection.folds = 3
        let result = try selection.run(data, task: task)
        let probe = try result.deployed(data, falsePositiveRate: 0.5, confidence: 0.5)
        let line = try #require(
            String(decoding: result.outOfFoldLines(data, by: probe), as: UTF8.self).split(separator: "\n")
                .first)
        #expect(probe.task == task && line.contains(#""label":"-7""#))
        #expect(probe.thresholdRule?.negatives == 30)
        let folds = try selection.split(data, task: .regression(outputs: 1))
        #expect(folds.count == 3)
    }
}
