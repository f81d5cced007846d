import AttentionProbes
@testable import Activations
import TestSupport
import Testing

@Suite("Pickles")
struct PickleTests {
    private static func text(_ text: String) -> [UInt8] {
        [0x58] + Array(integerBytes(text.utf8.count)[..<4]) + Array(text.utf8)
    }
    private static func name(_ module: String, _ name: String) -> [UInt8] {
        [0x63] + Array("\(module)\n\(name)\n".utf8)
    }
    private static func integer(_ value: Int) -> [UInt8] { [0x8A, 8] + integerBytes(value) }
    private static func tuple(_ parts: [UInt8]...) -> [UInt8] { [0x28] + parts.flatMap(\.self) + [0x74] }

    // A tensor of a storage of floats, and what is wrong with it.
    private static func tensor(
        key: String = "0", count: Int = 4, offset: Int = 0, shape: [Int] = [2, 2], strides: [Int] = [2, 1]
    ) -> [UInt8] {
        let storage = tuple(
            text("storage"), name("torch", "FloatStorage"), text(key), text("cpu"), integer(count))
        func sizes(_ numbers: [Int]) -> [UInt8] { [0x28] + numbers.flatMap(integer) + [0x74] }
        return name("torch._utils", "_rebuild_tensor_v2")
            + tuple(
                storage + [0x51], integer(offset), sizes(shape), sizes(strides), [0x89],
                name("collections", "OrderedDict") + [0x29, 0x52]) + [0x52]
    }

    // An error, without a crash, in a file that is opened and read in memory.
    private static func fault(_ pickle: [UInt8], statedSize: Int? = nil) -> String? {
        let bytes = literalTorch(
            [0x80, 2] + pickle + [0x2E], storages: [floatBytes(1, 2, 3, 4)], statedSize: statedSize)
        do throws(DataError) {
            let file = ByteSource(copying: bytes, name: "x.pt")
            _ = try ActivationFile(tensorContainer(of: file).open(file), layers: nil)
            return nil
        } catch {
            return error.description
        }
    }

    @Test func aTensor() throws {
        #expect(Self.fault(Self.tensor()) == nil)
        let pickle = try PickleReader.read([0x80, 2] + Self.tensor() + [0x2E])
        #expect(pickle.root == .tensor(0))
        #expect(
            pickle.tensors == [
                TorchTensor(storage: 0, type: "F32", offset: 0, shape: [2, 2], strides: [2, 1])
            ])
        #expect(pickle.storages == [TorchStorage(type: "F32", key: "0", count: 4)])
    }

    @Test func numbersAndTexts() throws {
        let parts: [([UInt8], PickleValue)] = [
            ([0x4A, 0xFE, 0xFF, 0xFF, 0xFF], .integer(-2)), ([0x4D, 1, 1], .integer(257)),
            ([0x8A, 0], .integer(0)), ([0x8A, 1, 0x80], .integer(-128)), ([0x8A, 2, 0x80, 0], .integer(128)),
            (Self.integer(.min), .integer(.min)), ([0x47, 0xBF, 0xF8, 0, 0, 0, 0, 0, 0], .number(-1.5)),
            ([0x8C, 2, 0xC3, 0xA9], .text("é")), ([0x4E], .none), ([0x88], .flag(true)),
        ]
        for (bytes, value) in parts { #expect(try PickleReader.read(bytes + [0x2E]).root == value) }
    }

    @Test func everyOtherInstructionIsRefusedByName() throws {
        for byte in UInt8.min ... .max where PickleOpcode(rawValue: byte) == nil {
            let error = try #require(throws: PickleReader.Fault.self) {
                try PickleReader.read([0x4E, byte, 0x2E])
            }
            #expect(error.place == 1 && error.found.contains("0x"), "\(error)")
        }
        #expect(PickleOpcode.name(0x69) == "INST (0x69)" && PickleOpcode.name(0x81) == "NEWOBJ (0x81)")
    }

    @Test func nothingElseIsCalled() {
        for (module, name) in [
            ("os", "system"), ("builtins", "eval"), ("posix", "system"), ("torch", "load"),
            ("torch.hub", "load"),
            ("torch._utils", "_rebuild_sparse_tensor"), ("collections", "defaultdict"), ("", ""),
        ] {
            let call = Self.name(module, name) + Self.tuple(Self.text("touch /tmp/x")) + [0x52]
            #expect(Self.fault(call)?.contains("found \(module).\(name); in Python") == true)
        }
        // By names on the stack, and what is known called with other arguments.
        #expect(Self.fault(Self.text("os") + Self.text("system") + [0x93])?.contains("os.system") == true)
        for known in [("torch", "FloatStorage"), ("torch._utils", "_rebuild_tensor_v2"), ("torch", "Size")] {
            #expect(Self.fault(Self.name(known.0, known.1) + [0x29, 0x52])?.contains("expected") == true)
        }
    }

    @Test(arguments: [
        (PickleTests.tensor(key: "7"), "expected a storage among the 1 of the file, found 7"),
        (PickleTests.tensor(key: "../../etc/passwd"), "expected a storage among"),
        (PickleTests.tensor(offset: 1), "expected elements among the 4 of its storage"),
        (PickleTests.tensor(offset: -1), "expected shape and strides that can be"),
        (PickleTests.tensor(offset: .max), "expected elements among the 4"),
        (PickleTests.tensor(shape: [3, 2]), "expected elements among the 4"),
        (PickleTests.tensor(shape: [-2, 2]), "expected shape and strides that can be"),
        (PickleTests.tensor(shape: [.max, .max]), "expected shape and strides that can be"),
        (
            PickleTests.tensor(shape: [1 << 40, 2], strides: [0, 1]),
            "expected a tensor that has each element once"
        ),
        (PickleTests.tensor(strides: [.max, .max]), "expected elements among the 4"),
        (PickleTests.tensor(shape: [2], strides: [2, 1]), "expected the storage, place, shape and strides"),
        (PickleTests.tensor(shape: [0, 1 << 40, 1 << 40], strides: [1, 1, 1]), "expected"),
    ])
    func tensorsOutsideTheirStorage(pickle: [UInt8], words: String) {
        #expect(Self.fault(pickle)?.contains(words) == true, "\(Self.fault(pickle) ?? "nothing")")
    }

    @Test func hostilePickles() {
        let deep = Array(repeating: UInt8(0x28), count: 100_000)
        #expect(Self.fault(deep)?.contains("at most 64 values inside each other") == true)
        let nested = [0x29] + Array(repeating: UInt8(0x85), count: 100_000)
        #expect(Self.fault(nested)?.contains("at most 16 values inside each other") == true)
        // A list in itself.
        #expect(Self.fault([0x5D, 0x71, 0, 0x68, 0, 0x61])?.contains("expected") == true)
        // Lists that each hold the one before twice: 2¹⁰⁰⁰ elements for who walks through them.
        let doubled = (0..<1000).flatMap { _ in
            [0x94, 0x28, 0x6A, 0, 0, 0, 0, 0x6A, 0, 0, 0, 0, 0x74] as [UInt8]
        }
        #expect(Self.fault([0x5D] + doubled)?.contains("expected") == true)
        // Sizes and places that are not there.
        for (bytes, words) in [
            ([0x72, 0xFF, 0xFF, 0xFF, 0x7F], "a value to remember"),
            ([0x4E, 0x72, 0xFF, 0xFF, 0xFF, 0x7F], "memo entry 0"),
            ([0x6A, 0xFF, 0xFF, 0xFF, 0xFF], "one of 0 memo entries"),
            ([0x58, 0xFF, 0xFF, 0xFF, 0xFF], "bytes"),
            ([0x8A, 200], "at most 8 bytes"), ([0x95, 1], "8 bytes"), ([0x65], "a mark"), ([0x74], "a mark"),
            ([0x52], "2 values"), ([0x4E, 0x61], "a list for values"), ([0x62], "1 values"),
            ([0x51], "1 values"),
            ([0x63, 0x41], "a name in a line"), ([0x7D, 0x28, 0x4E, 0x75], "pairs, found a value alone"),
        ] as [([UInt8], String)] {
            #expect(Self.fault(bytes)?.contains(words) == true, "\(bytes): \(Self.fault(bytes) ?? "nothing")")
        }
        for size in [1, 1 << 20, 0x7FFF_FFFF] {
            #expect(Self.fault(Self.tensor(), statedSize: size)?.contains("expected") == true)
        }
    }

    @Test func everyPrefixIsRefused() throws {
        let whole = try RecordedFile.bytes("list-f32.pt")
        for count in 0..<whole.count {
            let file = ByteSource(copying: Array(whole[..<count]), name: "cut.pt")
            #expect(throws: DataError.self) { try tensorContainer(of: file).open(file) }
        }
    }
}
