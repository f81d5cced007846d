import AttentionProbes
import Foundation
import TestSupport
import Testing

@Suite("Forms of activations")
struct ReaderTests {
    private let folder: TemporaryFolder
    // Three sequences of 2, 1 and 3 tokens, two wide.
    private static let values: [Float] = [1, 2, 3, 4, 5, -6, 7, 8, 0, 10, -11, 12]
    private static let sequences = [0..<2, 2..<3, 3..<6]
    private let probe = Probe(
        .attention(heads: 2), width: 2, task: .binary(classes: ["no", "yes"]),
        parameters: randomFloats(12, seed: 3))

    init() throws { folder = try TemporaryFolder() }

    private static func bytes(_ values: [Float], _ type: ElementType) -> [UInt8] {
        narrow(values.span, as: type)
    }
    private static func bytes(_ tokens: Range<Int>, _ type: ElementType) -> [UInt8] {
        bytes(Array(values[2 * tokens.lowerBound..<2 * tokens.upperBound]), type)
    }

    private func logits(_ paths: [String], layers: [Int]? = nil) throws -> [Float] {
        try probe.scores(ActivationSet(paths: paths, labelled: false, layers: layers)).logits.storage
    }

    private func flat(_ type: ElementType, _ name: String = "flat.safetensors") throws -> String {
        let file = LiteralActivations().without("labels")
            .with("hidden_states", type.rawValue, [6, 2], Self.bytes(0..<6, type))
            .with("offsets", "I64", [4], integerBytes(0, 2, 3, 6))
        return try folder.write(file.file, to: name)
    }

    // Rows of four tokens: padding on the right, the left and both sides, all of it NaN.
    private func padded(_ type: ElementType, maskType: String = "I64") throws -> String {
        var states: [UInt8] = []
        var mask: [Int] = []
        for (tokens, left) in zip(Self.sequences, [0, 3, 1]) {
            let right = 4 - left - tokens.count
            let padding = { (count: Int) in Self.bytes(Array(repeating: .nan, count: 2 * count), type) }
            states += padding(left) + Self.bytes(tokens, type) + padding(right)
            mask +=
                Array(repeating: 0, count: left) + Array(repeating: 1, count: tokens.count)
                + Array(repeating: 0, count: right)
        }
        let bytes = maskType == "I64" ? mask.flatMap { integerBytes($0) } : mask.map { UInt8($0) }
        let file = literalSafetensors([
            ("hidden_states", type.rawValue, [3, 4, 2], states), ("attention_mask", maskType, [3, 4], bytes),
        ])
        return try folder.write(file, to: "padded.safetensors")
    }

    @Test(arguments: ElementType.allCases, ["I64", "U8", "BOOL"])
    func padding(type: ElementType, maskType: String) throws {
        let path = try padded(type, maskType: maskType)
        #expect(try logits([path]) == logits([flat(type)]))
        let set = try ActivationSet(paths: [path])
        #expect(set.tokenCount == 6 && set.files[0].form.name.hasPrefix("padded activations"))
        #expect(try set.finiteSequences(threads: 2) == [0, 1, 2])
    }

    // One file a request, the states as the middle one of three layers.
    @Test(arguments: ElementType.allCases)
    func requests(type: ElementType) throws {
        try FileManager.default.createDirectory(atPath: folder("dump"), withIntermediateDirectories: false)
        for (number, tokens) in Self.sequences.enumerated() {
            let rows: [[Float]] = tokens.map { row in
                [128, 256, Self.values[2 * row], Self.values[2 * row + 1], 384, 448]
            }
            let file = literalSafetensors([
                (
                    "hidden_states", type.rawValue, [tokens.count, 3, 2],
                    Self.bytes(Array(rows.joined()), type)
                ),
                ("token_ids", "I64", [tokens.count], tokens.flatMap { integerBytes($0 + 7) }),
            ])
            _ = try folder.write(file, to: "dump/cmpl-\(number).safetensors")
        }
        #expect(try logits([folder("dump")], layers: [1]) == logits([flat(type)]))
        let set = try ActivationSet(paths: [folder("dump")], layers: [1])
        #expect(set.id(2) == "cmpl-2" && set.tokenText(2, position: 1) == "#11")
        #expect(set.files[0].layerCount == 3 && set.files[0].form.mayBeUnfinished)
        let chosen = try #require(throws: DataError.self) { try ActivationSet(paths: [folder("dump")]) }
        #expect(chosen.rule == .layers && chosen.description.contains("--layer 0 to 2"))
        // Two layers side by side are one sequence of twice the width.
        let stacked = try ActivationSet(paths: [folder("dump")], layers: [2, 1])
        var scratch: [Float] = []
        #expect(
            stacked[1].withTokens(0..<1, scratch: &scratch) { [$0[0], $0[1], $0[2], $0[3]] } == [
                384, 448, 5, -6,
            ])
    }

    // One file with three layers of each token, of which the middle one is the states; with token ids too it is no request.
    @Test(arguments: [false, true])
    func sequencesOfSeveralLayers(hasIDs: Bool) throws {
        let rows = (0..<6).flatMap { row -> [Float] in
            [128, 256, Self.values[2 * row], Self.values[2 * row + 1], 384, 448]
        }
        var file = LiteralActivations().without("labels")
            .with("hidden_states", "F32", [6, 3, 2], Self.bytes(rows, .f32))
            .with("offsets", "I64", [4], integerBytes(0, 2, 3, 6))
        if hasIDs { file = file.with("token_ids", "I64", [6], integerBytes(1, 2, 3, 4, 5, 6)) }
        let path = try folder.write(file.file, to: "layers.safetensors")
        #expect(try logits([path], layers: [1]) == logits([flat(.f32)]))
        let set = try ActivationSet(paths: [path], layers: [0, 2])
        #expect(set.count == 3 && set.width == 4 && set.files[0].layerCount == 3)
        #expect(set.files[0].form.holdsSeveralLayers && !set.files[0].form.isOneSequence)
        for (layers, words) in [(nil, "--layer 0 to 2"), ([3], "layers 0 to 2")] as [([Int]?, String)] {
            let error = try #require(throws: DataError.self) {
                try ActivationSet(paths: [path], layers: layers)
            }
            #expect(error.rule == .layers && error.description.contains(words), "\(error)")
        }
        let one = try folder.write(
            file.with("hidden_states", "F32", [6, 1, 2], Self.bytes(Self.values, .f32)).file,
            to: "one.safetensors")
        #expect(try logits([one]) == logits([flat(.f32)]))
    }

    @Test(arguments: [ElementType.f32, .f16], [UInt8(1), 2])
    func numPyArrays(type: ElementType, version: UInt8) throws {
        for (number, tokens) in Self.sequences.enumerated() {
            let file = literalNumPy(
                type == .f32 ? "'<f4'" : "'<f2'", "(\(tokens.count), 2)", Self.bytes(tokens, type),
                version: version)
            _ = try folder.write(file, to: "s\(number).npy")
        }
        #expect(try logits([folder.path]) == logits([flat(type, "flat")]))
        #expect(try ActivationSet(paths: [folder.path]).id(1) == "s1")
    }

    @Test func numPyArchives() throws {
        let plain = try folder.write(
            LiteralActivations().without("labels").file, to: "plain")
        let deflated = try folder.write(LiteralArchive.deflated, to: "deflated.npz")
        #expect(try logits([deflated]) == logits([plain]))
        let stored = try folder.write(LiteralArchive.stored, to: "stored.npz")
        let whole = try folder.write(
            LiteralActivations().without("labels").with("offsets", "I64", [2], integerBytes(0, 3)).file,
            to: "whole")
        #expect(try logits([stored]) == logits([whole]))
        #expect(try ActivationSet(paths: [stored]).id(0) == "stored")
    }

    // Files of one layer each are joined as one file of both is read.
    @Test(arguments: ElementType.allCases)
    func layersOfSeveralFiles(type: ElementType) throws {
        func layer(_ number: Int, _ values: [Float], width: Int) throws {
            let file = LiteralActivations().without("labels")
                .with("hidden_states", type.rawValue, [6, width], Self.bytes(values, type))
                .with("offsets", "I64", [4], integerBytes(0, 2, 3, 6))
                .described(
                    by: #"{"format":"attention-probes/activations","version":"1","layer":"\#(number)"}"#)
            _ = try folder.write(file.file, to: "layer-\(number).safetensors")
        }
        let others = Self.values.map { $0 / 2 }
        try layer(10, Self.values, width: 2)
        try layer(14, others, width: 2)
        try layer(20, others, width: 2)
        var both: [Float] = []
        for row in 0..<6 {
            both += Self.values[2 * row..<2 * row + 2]
            both += others[2 * row..<2 * row + 2]
        }
        let wide = try folder.write(
            LiteralActivations().without("labels")
                .with("hidden_states", type.rawValue, [6, 4], Self.bytes(both, type))
                .with("offsets", "I64", [4], integerBytes(0, 2, 3, 6)).file, to: "wide")
        let probe = Probe(
            .attention(heads: 2), width: 4, task: .binary(classes: ["no", "yes"]),
            parameters: randomFloats(20, seed: 4))
        let joined = try ActivationSet(paths: [folder.path], layers: [10, 14])
        #expect(joined.count == 3 && joined.width == 4)
        #expect(try probe.scores(joined).logits == probe.scores(ActivationSet(paths: [wide])).logits)
        #expect(try logits([folder.path], layers: [10]) == logits([flat(type, "flat")]))
        let mixed = try #require(throws: DataError.self) { try ActivationSet(paths: [folder.path]) }
        #expect(mixed.rule == .layers && mixed.description.contains("10 as in"))
        #expect(joined.files[0].metadata["layer"] == "10,14")
        let missing = try #require(throws: DataError.self) {
            try ActivationSet(paths: [folder.path], layers: [10, 11])
        }
        #expect(missing.rule == .layers && missing.description.contains("layer 11"))
        _ = try folder.write(
            LiteralActivations().without("labels").described(
                by: #"{"format":"attention-probes/activations","version":"1","layer":"14"}"#
            ).file, to: "layer-14.safetensors")
        let other = try #require(throws: DataError.self) {
            try ActivationSet(paths: [folder.path], layers: [10, 14])
        }
        #expect(other.rule == .layers && other.description.contains("layer-14"))
    }

    // A small file is read when it is used: cut meanwhile it is named, deleted it keeps its bytes.
    @Test func filesThatChange() throws {
        let values = randomFloats(8000, seed: 5)
        let file = LiteralActivations().without("labels")
            .with("offsets", "I64", [3], integerBytes(0, 1000, 4000))
            .with("hidden_states", "F32", [4000, 2], Self.bytes(values, .f32))
        let path = try folder.write(file.file, to: "small")
        let expected = try logits([path])
        let set = try ActivationSet(paths: [path])
        try FileManager.default.removeItem(atPath: path)
        #expect(try probe.scores(set).logits.storage == expected)

        _ = try folder.write(file.file, to: "small")
        let cut = try ActivationSet(paths: [path])
        let handle = try #require(FileHandle(forWritingAtPath: path))
        try handle.truncate(atOffset: 20000)
        for attempt in [{ _ = try probe.scores(cut) }, { _ = try cut.finiteSequences(threads: 1) }] {
            let error = try #require(throws: DataError.self) { try attempt() }
            #expect(error.rule == .truncated && error.description.contains("cut while it was read"))
        }
        let error = try #require(throws: DataError.self) { try cut.write(to: folder("copy")) }
        #expect(error.rule == .truncated)
        #expect(try !folder.names.contains("copy"))
    }

    @Test func labelsFromATable() throws {
        let data = try folder.write(
            LiteralActivations().without("labels").with("sequence_ids", "U8", [2], Array("ab".utf8))
                .with("sequence_ids_offsets", "I64", [3], integerBytes(0, 1, 2))
                .described(by: #"{"format":"attention-probes/activations","version":"1"}"#).file, to: "data")
        let set = try ActivationSet(paths: [data])
        func join(_ text: String, for task: ProbeTask? = nil) throws -> LabelJoin {
            try set.labelled(by: LabelTable(path: folder.write(Array(text.utf8), to: "t")), for: task)
        }
        let names = try join("id,label,group\nb,no,x\nz,no,x\na,\"yes\",y\n")
        #expect(names.set.targets == .classes([1, 0]) && names.set.classes == ["no", "yes"])
        #expect(
            names.set.groups.map { $0[0] != $0[1] } == true && names.unused == ["z"] && names.unlabelled == []
        )
        let fixed = try join("id;label\r\na;yes\r\n", for: .binary(classes: ["yes", "no"]))
        #expect(fixed.set.targets == .classes([0]) && fixed.unlabelled == ["b"] && fixed.set.count == 1)
        #expect(try join("id,label\na,3\nb,0\n").set.targets == .classes([3, 0]))
        #expect(try join("id,label\na,1.0\nb,0.0\n").set.targets == .classes([1, 0]))
        let blanks = try join("id,label\na, yes\nb,no \nc,no\n").set
        #expect(blanks.targets == .classes([1, 0]) && blanks.classes == ["no", "yes"])
        let lines = try join("{\"id\":\"a\",\"label\":1}\r\n{\"id\":\"b\",\"label\":0}\r\n").set
        #expect(lines.targets == .classes([1, 0]))
        let large = try join("{\"id\":12345678901234567890,\"label\":1}\n{\"id\":\"a\",\"label\":0}\n")
        #expect(large.unused == ["12345678901234567890"])
        #expect(
            try join("id,label\na,0.5\nb,2\n").set.targets
                == .values(Matrix(rows: 2, columns: 1, storage: [0.5, 2])))
        let several = try join("{\"id\":\"a\",\"label\":[\"x\",\"y\"]}\n\n{\"id\":\"b\",\"label\":[\"y\"]}\n")
        #expect(several.set.targets == .values(Matrix(rows: 2, columns: 2, storage: [1, 1, 0, 1])))
        #expect(several.set.classes == ["x", "y"])
        let none = try join("{\"id\":\"a\",\"label\":[]}\n{\"id\":\"b\",\"label\":[\"x\"]}\n")
        #expect(none.set.targets == .values(Matrix(rows: 2, columns: 1, storage: [0, 1])))
        for (text, words) in [
            ("name,label\na,1\n", "one column id"), ("id,id,label\na,b,1\n", "found 2"),
            ("id,label\na,1\na,1\n", "row 3"), ("id,label\na\n", "row 2"),
            ("id,label\nq,1\n", "labels for the sequences"),
            ("{\"id\":\"a\"}\n", "line 1"), ("{\"id\":\"a\",\"label\":1\n", "line 1"),
            ("id,label\na,\"x", "in pairs"),
            ("id,label\na,-inf\nb,0.5\n", "row 2: expected a number that F32 can hold"),
            ("id,label\na,0.5\nb,-inf\n", "row 3: expected a number that F32 can hold"),
            ("{\"id\":\"a\",\"label\":[1e300, 1]}\n", "row 1: expected numbers that F32 can hold"),
            ("{\"id\":\"a\",\"label\":[1e300]}\n", "row 1: expected a number that F32 can hold"),
        ] {
            let error = try #require(throws: DataError.self) { try join(text) }
            #expect(error.description.contains(words), "\(error)")
        }
    }
}
