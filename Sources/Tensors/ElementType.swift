/// How the numbers of a hidden state are stored. They are widened to float as they are read.
public enum ElementType: String, Sendable, CaseIterable {
    /// IEEE 754 binary32.
    case f32 = "F32"
    /// IEEE 754 binary16.
    case f16 = "F16"
    /// bfloat16: the upper half of a binary32.
    case bf16 = "BF16"

    /// Bytes of one element.
    public var size: Int { self == .f32 ? 4 : 2 }
}
