/// The uses of a seed. Each draws from a stream of its own, so that one use more or less does not
/// change the others.
package enum RandomStream {
    package static let split: UInt64 = 1
    package static let initialParameters: UInt64 = 2
    package static let order: UInt64 = 3
    package static let tokenDropout: UInt64 = 4
    /// And the numbers after it, one a draw.
    package static let bootstrap: UInt64 = 5
    /// And the numbers after it, one a token id.
    package static let tokenVectors: UInt64 = 1 << 40
    package static let directions: UInt64 = 1 << 50
    package static let shuffledLabels: UInt64 = 1 << 51
    package static let folds = UInt64.max
    package static let sample = UInt64.max - 1
    package static let documents = UInt64.max - 2
}
