/// The uses of a seed. Each draws from a stream of its own, so that one use more or less does not
/// change the others.
enum RandomStream {
    static let split: UInt64 = 1
    static let initialParameters: UInt64 = 2
    static let order: UInt64 = 3
    static let tokenDropout: UInt64 = 4
    /// And the numbers after it, one a draw.
    static let bootstrap: UInt64 = 5
    static let folds = UInt64.max
    static let sample = UInt64.max - 1
    static let documents = UInt64.max - 2
}
