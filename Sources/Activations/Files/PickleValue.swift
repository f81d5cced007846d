/// A value that a pickle says. Lists, tuples, dictionaries, storages and tensors stand in tables of the `Pickle`, by
/// their numbers: one that holds itself costs no more than another, and nothing is ever walked to its depth.
enum PickleValue: Sendable, Equatable {
    case none
    case flag(Bool)
    case integer(Int)
    case number(Double)
    case text(String)
    case list(Int)
    case tuple(Int)
    case dictionary(Int)
    case storage(Int)
    case tensor(Int)
    case name(TorchName)
}

/// What a pickle holds: the one value that it was made of, and the tables that values stand in.
struct Pickle: Sendable {
    /// The value.
    let root: PickleValue
    /// The values of lists and tuples, and keys and values of dictionaries in turn.
    let collections: [[PickleValue]]
    let storages: [TorchStorage]
    let tensors: [TorchTensor]

    /// The values of a list or tuple; nil for others.
    func values(_ value: PickleValue) -> [PickleValue]? {
        switch value {
        case .list(let index), .tuple(let index): collections[index]
        default: nil
        }
    }

    /// The entries of a dictionary whose keys are texts, each name once, with the last value that it was given; nil for
    /// other values. Entries with other keys are left out.
    func entries(_ value: PickleValue) -> [(name: String, value: PickleValue)]? {
        guard case .dictionary(let index) = value else { return nil }
        let all = collections[index]
        var places: [String: Int] = [:]
        var entries: [(name: String, value: PickleValue)] = []
        for start in stride(from: 0, to: all.count, by: 2) {
            guard case .text(let name) = all[start] else { continue }
            if let place = places[name] {
                entries[place].value = all[start + 1]
            } else {
                places[name] = entries.count
                entries.append((name, all[start + 1]))
            }
        }
        return entries
    }
}

/// Bytes that tensors are views of: a member of the archive.
struct TorchStorage: Sendable, Equatable {
    /// The type of its elements; nil where tensors say it.
    let type: String?
    /// The last part of the member's name.
    let key: String
    /// How many elements it has, or bytes where it has no type.
    let count: Int
}

/// A view of a storage.
struct TorchTensor: Sendable, Equatable {
    let storage: Int
    let type: String
    /// The element that is the first, and how far it is from one to the next of each dimension.
    let offset: Int
    let shape: [Int]
    let strides: [Int]
}

/// What a pickle may name: all that tensors are made with, and nothing else.
enum TorchName: Sendable, Equatable {
    /// `collections.OrderedDict`, which is called without arguments.
    case orderedDictionary
    /// `torch._utils._rebuild_tensor_v2`, and before 1.0 without the number.
    case tensor
    /// The same of a storage without a type, which the tensor has.
    case typedTensor
    /// `torch._utils._rebuild_parameter`: a tensor that has gradients.
    case parameter
    /// `torch.Size`, a tuple.
    case size
    /// The type of a storage; nil for bytes.
    case storage(String?)
    /// `torch.float16` and the like.
    case type(String)

    init?(module: String, name: String) {
        switch (module, name) {
        case ("collections", "OrderedDict"): self = .orderedDictionary
        case ("torch._utils", "_rebuild_tensor_v2"), ("torch._utils", "_rebuild_tensor"): self = .tensor
        case ("torch._utils", "_rebuild_tensor_v3"): self = .typedTensor
        case ("torch._utils", "_rebuild_parameter"): self = .parameter
        case ("torch", "Size"): self = .size
        case ("torch.storage", "UntypedStorage"), ("torch", "UntypedStorage"): self = .storage(nil)
        case ("torch", let name):
            if let type = Self.types[name] {
                self = .type(type)
            } else if let type = Self.storageTypes[name] {
                self = .storage(type)
            } else {
                return nil
            }
        default: return nil
        }
    }

    // Names of types as safetensors has them.
    private static let types = [
        "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64",
        "int32": "I32", "int16": "I16", "int8": "I8", "uint64": "U64", "uint32": "U32", "uint16": "U16",
        "uint8": "U8", "bool": "BOOL", "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2",
    ]

    private static let storageTypes = [
        "DoubleStorage": "F64", "FloatStorage": "F32", "HalfStorage": "F16", "BFloat16Storage": "BF16",
        "LongStorage": "I64", "IntStorage": "I32", "ShortStorage": "I16", "CharStorage": "I8",
        "ByteStorage": "U8", "BoolStorage": "BOOL",
    ]
}
