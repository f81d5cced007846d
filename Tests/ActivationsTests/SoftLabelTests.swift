import AttentionProbes
@testable import Activations
import TestSupport
import Testing

@Suite("Soft labels")
struct SoftLabelTests {
    private let names = ["no", "yes"]
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func open(
        _ values: [Float], classes: String? = nil, name: String = "data"
    ) throws -> ActivationSet {
        let metadata = classes.map { #","classes":"\#($0)""# } ?? ""
        let file = LiteralActivations()
            .with("labels", "F32", [2], values.flatMap { floatBytes($0) })
            .described(by: #"{"format":"attention-probes/activations","version":"1"\#(metadata)}"#)
        return try ActivationSet(paths: [folder.write(file.file, to: name + ".safetensors")])
    }

    private func error(_ body: () throws -> Void) throws -> String {
        "\(try #require(throws: DataError.self) { try body() })"
    }

    // Numbers stay numbers to predict unless a binary task is asked for.
    @Test func whatTheyMean() throws {
        let data = try open([0.25, 1])
        #expect(try data.task() == .regression(outputs: 1))
        let task = try data.task(named: "binary")
        #expect(task == .binary(classes: ["0", "1"]))
        let labelled = try data.labelled(for: task)
        #expect(labelled.targets == .probabilities([0.25, 1]) && labelled.classes == ["0", "1"])
        // They can be read again, and the other way round.
        #expect(try labelled.labelled(for: task).targets == .probabilities([0.25, 1]))
        #expect(try labelled.task() == task)
        let turned = try #require(task.positive("0"))
        #expect(try data.labelled(for: turned).targets == .probabilities([0.75, 0]))
        #expect(try labelled.labelled(for: turned).targets == .probabilities([0.75, 0]))
        // Of a probe's classes with names the second is the one that 1 would be.
        #expect(try data.labelled(for: .binary(classes: names)).targets == .probabilities([0.25, 1]))
        #expect(
            try error {
                _ = try data.labelled(for: .binary(classes: names), isReordered: true)
            }.contains("expected the name of a class"))
    }

    @Test func namesOfClasses() throws {
        let list = #"[\"no\",\"yes\"]"#
        let data = try open([0.25, 1], classes: list)
        #expect(data.targets == .probabilities([0.25, 1]) && data.labelCounts == nil)
        #expect(try data.task() == .binary(classes: names))
        #expect(
            try data.labelled(for: .binary(classes: ["yes", "no"])).targets == .probabilities([0.75, 0]))
        #expect(
            try error { _ = try data.labelled(for: .binary(classes: ["no", "maybe"])) }.hasSuffix(
                "expected no or maybe, found yes"))
        #expect(throws: DataError.self) { try data.task(named: "regression") }
        #expect(
            try error { _ = try open([0.25, 1.5], classes: list, name: "bad") }.hasSuffix(
                "bad.safetensors: tensor labels, element 1: expected a probability from 0 to 1, found 1.5"))
        // Another part of the data may have certain labels alone.
        _ = try open([1, 0], classes: list, name: "other")
        let both = try ActivationSet(paths: [folder("other.safetensors"), folder("data.safetensors")])
        #expect(both.targets == .probabilities([1, 0, 0.25, 1]))
        // What is written is read as it was.
        try both.write(to: folder("copy.safetensors"))
        let copy = try ActivationSet(paths: [folder("copy.safetensors")])
        #expect(copy.targets == both.targets && copy.classes == names)
    }

    // The value, the file and the sequence are named.
    @Test(arguments: [-0.5, 1.25] as [Float]) func outsideOfTheRange(bad: Float) throws {
        let data = try open([0.5, bad])
        for attempt in [
            { _ = try data.task(named: "binary") },
            { _ = try data.labelled(for: .binary(classes: ["0", "1"])) },
        ] {
            let words = try error { try attempt() }
            #expect(words.contains("data.safetensors") && words.contains("sequence 1"))
            #expect(
                words.hasSuffix("expected one of two classes, or a probability from 0 to 1, found \(bad)"))
        }
    }

    // Folds and splits are stratified by the classes that labels are cut to; 0.5 is the second.
    @Test func cutClasses() throws {
        #expect(Targets.probabilities([0.49, 0.5, 1, 0]).hardClasses == [0, 1, 1, 0])
        let batch = try randomBatch(lengths: Array(repeating: 2, count: 40), width: 3, seed: 1)
        let values = (0..<40).map { Float($0 % 4) / 4 + 0.1 }
        func set(_ targets: Targets) throws -> ActivationSet {
            try ActivationSet([ActivationFile(batch, targets: targets, classes: names)])
        }
        let (soft, hard) = (
            try set(.probabilities(values)), try set(.classes(values.map { $0 >= 0.5 ? 1 : 0 }))
        )
        #expect(try soft.folds(5, seed: 3) == hard.folds(5, seed: 3))
        #expect(soft.split(fraction: 0.3, seed: 4) == hard.split(fraction: 0.3, seed: 4))
    }

    @Test func tables() throws {
        let batch = try randomBatch(lengths: [2, 2, 2], width: 3, seed: 1)
        let data = try ActivationSet([ActivationFile(batch)])
        let tables = [
            ("t.csv", "id,label\n0,0.25\n1,1\n2,0\n"),
            ("t.jsonl", "{\"id\":0,\"label\":0.25}\n{\"id\":1,\"label\":1}\n{\"id\":2,\"label\":\"0.0\"}\n"),
        ]
        for (name, text) in tables {
            let table = try LabelTable(path: folder.write(Array(text.utf8), to: name))
            let read = try data.labelled(by: table).set
            #expect(try read.task() == .regression(outputs: 1))
            let task = try read.task(named: "binary")
            #expect(try read.labelled(for: task).targets == .probabilities([0.25, 1, 0]))
            let known = ProbeTask.binary(classes: names)
            let own = try data.labelled(by: table, for: known).set
            #expect(try own.labelled(for: known).targets == .probabilities([0.25, 1, 0]))
        }
        let path = try folder.write(Array("id,label\n0,0.25\n1,2.5\n2,0\n".utf8), to: "bad.csv")
        let bad = try data.labelled(by: LabelTable(path: path)).set
        #expect(
            try error { _ = try bad.task(named: "binary") }.hasSuffix(
                "bad.csv: the label of 1: expected one of two classes, or a probability from 0 to 1, found 2.5"
            ))
    }
}
