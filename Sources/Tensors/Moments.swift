private import CKernels

/// Number, sums and sums of squares of vectors, a dimension each, taken from an origin: what means
/// and variances are made of.
package struct Moments: Sendable {
    /// How many vectors there were, or what they count together.
    package private(set) var count = 0.0
    /// Σ (x - origin), D values.
    package private(set) var sums: [Double]
    /// Σ (x - origin)², D values.
    package private(set) var squares: [Double]
    private let origin: [Float]

    /// No vectors yet. An origin near the mean, such as one of the vectors, keeps a variance that is
    /// small beside the mean.
    package init(origin: [Float]) {
        self.origin = origin
        sums = Array(repeating: 0, count: origin.count)
        squares = sums
    }

    /// Adds the unmasked tokens of a sequence, in double precision. O(n·D).
    ///
    /// - Precondition: its width is that of the origin.
    package mutating func add(_ sequence: TokenSequence, scratch: inout [Float]) {
        precondition(sequence.width == origin.count, "tokens of another width")
        count += Double(sequence.count)
        sequence.forEachTile(scratch: &scratch) { range, tokens in
            unsafe tokens.withUnsafeBufferPointer { x in
                unsafe sums.withUnsafeMutableBufferPointer { sums in
                    unsafe squares.withUnsafeMutableBufferPointer { squares in
                        unsafe origin.withUnsafeBufferPointer { origin in
                            unsafe ck_add_moments(
                                x.baseAddress!, range.count, origin.count, origin.baseAddress!,
                                sums.baseAddress!, squares.baseAddress!)
                        }
                    }
                }
            }
        }
    }

    /// Adds what another one has gathered from the same origin, as if it were there `times` times.
    package mutating func add(_ other: Moments, times: Double = 1) {
        precondition(other.origin == origin, "moments about another origin")
        count += times * other.count
        for d in sums.indices {
            sums[d] += times * other.sums[d]
            squares[d] += times * other.squares[d]
        }
    }

    /// The mean of one dimension.
    ///
    /// - Precondition: there is at least one vector.
    package func mean(_ d: Int) -> Double { Double(origin[d]) + sums[d] / count }

    /// The variance of one dimension, by the number of vectors.
    ///
    /// - Precondition: there is at least one vector.
    package func variance(_ d: Int) -> Double {
        let offset = sums[d] / count
        return squares[d] / count - offset * offset
    }
}
