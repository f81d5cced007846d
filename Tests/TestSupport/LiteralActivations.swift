/// An activation file written out by hand: two sequences of one and two tokens, two wide. A test
/// replaces a tensor, adds one or takes one away.
public struct LiteralActivations: Sendable {
    public init() {}

    private var tensors: [(name: String, type: String, shape: [Int], bytes: [UInt8])] = [
        ("hidden_states", "F32", [3, 2], floatBytes(1, 2, 3, 4, 5, 6)),
        ("offsets", "I64", [3], integerBytes(0, 1, 3)),
        ("labels", "I64", [2], integerBytes(0, 1)),
    ]
    private var metadata =
        #"{"format":"attention-probes/activations","version":"1","classes":"[\"no\",\"yes\"]"}"#

    public func with(_ name: String, _ type: String, _ shape: [Int], _ bytes: [UInt8]) -> LiteralActivations {
        var copy = self
        copy.tensors.removeAll { $0.name == name }
        copy.tensors.append((name, type, shape, bytes))
        return copy
    }

    public func without(_ name: String) -> LiteralActivations {
        var copy = self
        copy.tensors.removeAll { $0.name == name }
        return copy
    }

    public func described(by metadata: String) -> LiteralActivations {
        var copy = self
        copy.metadata = metadata
        return copy
    }

    /// The bytes of the file.
    public var file: [UInt8] { literalSafetensors(tensors, metadata: metadata) }
}
