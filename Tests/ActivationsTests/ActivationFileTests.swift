import AttentionProbes
@testable import Activations
import Foundation
import TestSupport
import Testing

@Suite("Activation files")
struct ActivationFileTests {
    private let whole = LiteralActivations()

    private func read(_ activations: LiteralActivations) throws -> ActivationFile {
        let folder = try TemporaryFolder()
        return try ActivationFile(path: folder.write(activations.file, to: "data.safetensors"))
    }

    @Test func aWholeFile() throws {
        let texts = Array("abécd".utf8)
        let activations = whole.with("groups", "I64", [2], integerBytes(4, 4))
            .with("token_mask", "BOOL", [3], [1, 0, 1])
            .with("token_text", "U8", [6], texts).with(
                "token_text_offsets", "I64", [4], integerBytes(0, 1, 4, 6)
            )
            .with("sequence_ids", "U8", [3], Array("xyz".utf8)).with(
                "sequence_ids_offsets", "I64", [3], integerBytes(0, 1, 3))
        let file = try read(activations)
        #expect(file.batch.count == 2 && file.batch.width == 2)
        #expect(file.targets == .classes([0, 1]) && file.classes == ["no", "yes"] && file.groups == [4, 4])
        #expect(file.id(1) == "yz" && file.tokenText(1) == "bé")
        #expect(file.batch[1].count == 1 && file.batch[1].position(0) == 1)
        var scratch: [Float] = []
        #expect(file.batch[1].withTokens(0..<1, scratch: &scratch) { [$0[0], $0[1]] } == [5, 6])
    }

    // A small file is read, scored and dropped; rows name its sequences later, and must not read it again.
    // As `save_file` writes tensors alone, and where the metadata are null.
    @Test func filesThatSayNothingOfTheirFormat() throws {
        for metadata in ["{}", "null"] {
            let file = try read(LiteralActivations().described(by: metadata))
            #expect(file.batch.count == 2 && file.form.name == "activations" && file.classes == nil)
        }
    }

    @Test func idsOfSmallFilesStay() throws {
        let folder = try TemporaryFolder()
        let states = [UInt8](repeating: 0, count: 3 * 1000 * 4)
        let activations = whole.with("hidden_states", "F32", [3, 1000], states)
            .with("sequence_ids", "U8", [3], Array("xyz".utf8)).with(
                "sequence_ids_offsets", "I64", [3], integerBytes(0, 1, 3))
        let path = try folder.write(activations.file, to: "data.safetensors")
        let file = try ActivationFile(path: path)
        let open = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try open.write(contentsOf: Data(repeating: 0, count: activations.file.count))
        #expect(file.id(0) == "x" && file.id(1) == "yz")
    }

    @Test(arguments: [("F16", [0x00, 0x3c, 0x00, 0xc0]), ("BF16", [0x80, 0x3f, 0x00, 0xc0])])
    func halfWidth(type: String, pattern: [UInt8]) throws {
        let file = try read(whole.with("hidden_states", type, [3, 2], pattern + pattern + pattern))
        var scratch: [Float] = []
        #expect(file.batch[1].withTokens(0..<2, scratch: &scratch) { ($0[0], $0[3]) } == (1, -2))
    }

    @Test(arguments: [
        (LiteralActivations().without("hidden_states"), DataError.Rule.missingTensor, "hidden_states"),
        (LiteralActivations().without("offsets"), .missingTensor, "offsets"),
        (
            LiteralActivations().with("hidden_states", "I64", [1, 3], integerBytes(1, 2, 3)), .elementType,
            "hidden_states"
        ),
        (
            LiteralActivations().with("hidden_states", "F32", [6], floatBytes(1, 2, 3, 4, 5, 6)), .shape,
            "hidden_states"
        ),
        (LiteralActivations().with("hidden_states", "F32", [3, 0], []), .shape, "hidden_states"),
        (LiteralActivations().with("offsets", "F32", [2], floatBytes(0, 3)), .elementType, "offsets"),
        (LiteralActivations().with("offsets", "I64", [3], integerBytes(1, 2, 3)), .offsets, "0 first"),
        (LiteralActivations().with("offsets", "I64", [3], integerBytes(0, 4, 3)), .offsets, "element 2"),
        (LiteralActivations().with("offsets", "I64", [3], integerBytes(0, -1, 3)), .offsets, "element 1"),
        (LiteralActivations().with("offsets", "I64", [3], integerBytes(0, 1, 2)), .offsets, "3 last"),
        (LiteralActivations().with("offsets", "I64", [3], integerBytes(0, 1, 99)), .offsets, "99"),
        (LiteralActivations().with("offsets", "I64", [0], []), .offsets, "no element"),
        (
            LiteralActivations().with("offsets", "I64", [3], integerBytes(0, 0, 3)), .emptySequence,
            "sequence 0"
        ),
        (LiteralActivations().with("token_mask", "U8", [3], [1, 0, 0]), .emptySequence, "sequence 1"),
        (LiteralActivations().with("token_mask", "U8", [2], [1, 0]), .shape, "token_mask"),
        (LiteralActivations().with("labels", "I64", [2], integerBytes(0, 2)), .labels, "element 1"),
        (LiteralActivations().with("labels", "I64", [2], integerBytes(-1, 0)), .labels, "element 0"),
        (LiteralActivations().with("labels", "I64", [1], integerBytes(0)), .shape, "labels"),
        (LiteralActivations().with("labels", "F32", [2, 1], floatBytes(.nan, 0)), .labels, "element 0"),
        (LiteralActivations().with("labels", "F32", [2], floatBytes(0, .infinity)), .labels, "element 1"),
        (
            LiteralActivations().with("labels", "F32", [2, 1], floatBytes(-.infinity, 0)), .labels,
            "element 0"
        ),
        (LiteralActivations().with("labels", "U64", [2], integerBytes(0, 1)), .elementType, "labels"),
        (LiteralActivations().with("groups", "I64", [1], integerBytes(0)), .shape, "groups"),
        (LiteralActivations().with("sequence_ids", "U8", [1], [65]), .missingTensor, "sequence_ids_offsets"),
        (
            LiteralActivations().with("token_text", "U8", [1], [65]).with(
                "token_text_offsets", "I64", [4], integerBytes(0, 1, 0, 1)),
            .offsets, "token_text_offsets, element 2"
        ),
        (LiteralActivations().described(by: #"{"format":"other","version":"1"}"#), .metadata, "format"),
        (
            LiteralActivations().described(by: #"{"format":"attention-probes/activations","version":"2"}"#),
            .metadata, "version"
        ),
        (
            LiteralActivations().described(
                by: #"{"format":"attention-probes/activations","version":"1","classes":"no"}"#), .metadata,
            "classes"
        ),
    ])
    func brokenFiles(file: LiteralActivations, rule: DataError.Rule, words: String) throws {
        let error = try #require(throws: DataError.self) { try read(file) }
        #expect(error.rule == rule && error.description.contains(words), "\(error)")
    }

    @Test func filesAndFoldersAreJoined() throws {
        let folder = try TemporaryFolder()
        _ = try folder.write(whole.file, to: "b.safetensors")
        _ = try folder.write(whole.with("labels", "I64", [2], integerBytes(1, 1)).file, to: "a.safetensors")
        let set = try ActivationSet(paths: [folder.path])
        #expect(set.count == 4 && set.targets == .classes([1, 1, 0, 1]) && set.tokenCount == 6)
        #expect(set.id(3) == "3")
        _ = try folder.write(
            whole.with("hidden_states", "F32", [3, 1], floatBytes(1, 2, 3)).file, to: "c.safetensors")
        let error = try #require(throws: DataError.self) { try ActivationSet(paths: [folder.path]) }
        #expect(error.rule == .mismatch && error.description.contains("width"))
        let empty = try TemporaryFolder()
        #expect(throws: MissingInput.self) { try ActivationSet(paths: [empty.path]) }
    }

    @Test func recordOfFiles() throws {
        func set(_ count: Int) throws -> ActivationSet {
            try ActivationSet(
                (0..<count).map { ActivationFile(try RaggedBatch([[1]], width: 1), name: "a/\($0).npy") })
        }
        #expect(try set(2).fileRecord == ["0.npy", "1.npy"] && set(8).fileRecord.last == "7.npy")
        #expect(try set(10).fileRecord == ["0.npy", "1.npy", "2.npy", "… and 7 more"])
        let probe = Probe(
            .mean, width: 1, task: .regression(outputs: 1), parameters: [1, 0],
            training: ["data": "9.npy, 8.npy"])
        #expect(try probe.trainingFile(in: set(10)) == "8.npy" && probe.trainingFile(in: set(8)) == nil)
    }

    // Names that others start with, and in other scripts; a lock is that of the whole name.
    @Test func folderWithLocks() throws {
        let folder = try TemporaryFolder()
        // The last starts with what makes one character of itself and the dot.
        let data = [
            "a.npy", "a.npy-b.npz", "a.npy.lock.npy", "ab.npy", "é.npy", "\u{600}.npy", "日本.safetensors",
        ]
        let others = [".b.npy", "a.npy.lock2", "ab.npy.lock", "b.npy.lock", "npy", "日本.safetensors.lock"]
        for name in data + others { _ = try folder.write([1], to: name) }
        let files = try InputFile.all(folder.path)
        #expect(files.map(\.path) == data.map { folder($0) })
        #expect(files.map(\.hasLock) == [false, false, false, true, false, false, true])
        try FileManager.default.createSymbolicLink(
            atPath: folder("link"), withDestinationPath: folder.path)
        #expect(try ActivationSet.files(folder("link")).count == data.count)
        #expect(try data.map { folder($0) }.contains(ActivationSet.anyFile(folder.path)))
    }

    // A server may begin a file while its folder is listed.
    @Test func lockYoungerThanTheList() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write([1], to: "a.safetensors")
        let lock = try folder.write([], to: "a.safetensors.lock")
        let server = try #require(FileHandle(forReadingAtPath: lock))
        #expect(flock(server.fileDescriptor, LOCK_EX) == 0)
        defer { flock(server.fileDescriptor, LOCK_UN) }
        #expect(OpenedFile(InputFile(path: path, hasLock: false), layers: nil).isLocked)
    }

    @Test func tasksFromLabels() throws {
        func task(_ file: LiteralActivations, _ name: String? = nil) throws -> ProbeTask {
            try ActivationSet([read(file)]).task(named: name)
        }
        #expect(try task(whole) == .binary(classes: ["no", "yes"]))
        #expect(try task(whole, "multiclass") == .multiclass(classes: ["no", "yes"]))
        let numbers = whole.described(by: #"{"format":"attention-probes/activations","version":"1"}"#)
        #expect(
            try task(numbers.with("labels", "F32", [2, 2], floatBytes(0, 1, 1, 1)))
                == .multilabel(classes: ["0", "1"]))
        #expect(
            try task(numbers.with("labels", "U8", [2, 2], [0, 1, 1, 1]), "regression")
                == .regression(outputs: 2))
        #expect(try task(numbers.with("labels", "F32", [2], floatBytes(0.5, 1))) == .regression(outputs: 1))
        #expect(
            try task(numbers.with("labels", "I64", [2], integerBytes(0, 4)))
                == .binary(classes: ["0", "4"]))
        let error = try #require(throws: DataError.self) { try task(whole, "regression") }
        #expect(error.rule == .labels)
        #expect(
            try #require(throws: DataError.self) { try task(whole.without("labels")) }.rule == .missingTensor)
    }

    @Test func nonFiniteStatesAreNamed() throws {
        let file = whole.with("hidden_states", "F32", [3, 2], floatBytes(1, 2, 3, 4, .infinity, 6))
        let set = try ActivationSet([read(file)])
        let error = try #require(set.nonFiniteError(in: 1))
        #expect(
            error.rule == .nonFinite
                && error.place == "tensor hidden_states, sequence 1, token 1, dimension 0")
        #expect(set.nonFiniteError(in: 0) == nil)
        #expect(try set.finiteSequences(threads: 2) == [0])
    }
}
