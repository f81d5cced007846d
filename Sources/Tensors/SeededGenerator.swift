private import Glibc

/// A small random generator with a seed: the same numbers on every machine and in every run.
///
/// SplitMix64 (Steele, Lea and Flood, 2014): 2⁶⁴ states, each used once.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// A generator for a seed; `stream` tells apart generators for different uses of one seed.
    package init(seed: UInt64, stream: UInt64 = 0) {
        state = seed
        state = next() ^ (stream &* 0xD1B5_4A32_D192_ED03)
        state = next()
    }

    /// The next 64 random bits.
    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// A number from the uniform distribution over [0, 1), of 24 bits.
    package mutating func uniform() -> Float { Float(next() >> 40) * 0x1p-24 }

    /// A number from the standard normal distribution (Box and Muller, 1958).
    package mutating func normal() -> Float {
        let radius = (-2 * log(1 - uniform())).squareRoot()
        return radius * cos(2 * .pi * uniform())
    }
}
