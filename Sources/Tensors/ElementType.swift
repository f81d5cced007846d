/// How the numbers of a hidden state are stored. They are widened to float as they are read.
public enum ElementType: String, Sendable, CaseIterable {
    /// IEEE 754 binary32.
    case f32 = "F32"
    /// IEEE 754 binary16.
    case f16 = "F16"
    /// bfloat16: the upper half of a binary32.
    case bf16 = "BF16"
    /// FP8 E4M3 (E4M3FN): four bits of exponent and three of mantissa, up to 448 and without an infinity. A token may have a
    /// scale that its numbers are multiplied with.
    case f8E4M3 = "F8_E4M3"
    /// FP8 E5M2: the upper half of a binary16, up to 57344. A token may have a scale as with E4M3.
    case f8E5M2 = "F8_E5M2"

    /// Bytes of one element.
    package var size: Int {
        switch self {
        case .f32: 4
        case .f16, .bf16: 2
        case .f8E4M3, .f8E5M2: 1
        }
    }

    /// Whether a token may have a scale.
    package var mayHaveScales: Bool { size == 1 }

    /// The largest scale a token may have: with it the largest number of the type is the largest float; 1 without scales.
    package var largestScale: Float {
        switch self {
        case .f8E4M3: .greatestFiniteMagnitude / 448
        case .f8E5M2: .greatestFiniteMagnitude / 57344
        case .f32, .f16, .bf16: 1
        }
    }

    /// Whether a token may have a scale.
    package func allows(scale: Float) -> Bool { scale > 0 && scale <= largestScale }

    /// Which scales those are, for a message.
    package var wantedScale: String {
        "a scale above 0 with which \(rawValue) is finite, at most \(largestScale)"
    }
}
