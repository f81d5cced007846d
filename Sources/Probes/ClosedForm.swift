package import Activations
package import Tensors

/// A fit in one step, without an optimiser, of a probe on mean-pooled states to two classes.
package struct ClosedForm: Sendable {
    /// Whether the sizes of the classes make a difference to it.
    package let countsClassSizes: Bool
    /// Bytes that it needs at the least for a width; nil for no more than the parameters take.
    package let bytes: (@Sendable (_ width: Double) -> Double)?
    /// The parameters of a linear probe, w and b.
    package let fit: @Sendable (ClassStates) throws -> [Float]

    /// A fit.
    package init(
        countsClassSizes: Bool, bytes: (@Sendable (_ width: Double) -> Double)? = nil,
        fit: @escaping @Sendable (ClassStates) throws -> [Float]
    ) {
        self.countsClassSizes = countsClassSizes
        self.bytes = bytes
        self.fit = fit
    }
}

/// The mean-pooled states of sequences of two classes, with weights w_n that count in every sum.
package struct ClassStates: Sendable {
    /// A sequence a row, N×D.
    package let pooled: Matrix
    /// The class of each sequence, 0 or 1.
    package let labels: [Int]
    /// How much each sequence counts.
    package let weights: [Double]
    /// N₋ and N₊: Σ w of each class.
    package let sizes: [Double]
    /// μ₋ and μ₊.
    package let means: [[Double]]
    /// What an error is about.
    package let data: ActivationSet

    /// - Parameter weights: how much each sequence counts; nil for all alike.
    /// - Precondition: labels 0 and 1, both present; weights, if any, positive.
    /// - Throws: `DataError` where a hidden state is not finite.
    package init(_ data: ActivationSet, labels: [Int], weights: [Float]?, threads: Int) throws {
        let weights = weights?.map(Double.init) ?? Array(repeating: 1, count: data.count)
        let pooled = try data.pooledStates(.mean, threads: threads)
        let members = (0...1).map { label in data.indices.filter { labels[$0] == label } }
        let sizes = members.map { $0.reduce(0) { $0 + weights[$1] } }
        means = (0...1).map { label in
            (0..<data.width).map { d in
                members[label].reduce(0) { $0 + weights[$1] * Double(pooled[$1, d]) } / sizes[label]
            }
        }
        (self.data, self.pooled, self.labels, self.weights, self.sizes) = (
            data, pooled, labels, weights, sizes
        )
    }

    /// μ₊ - μ₋
    package var difference: [Double] { zip(means[1], means[0]).map { $0 - $1 } }

    /// w and b = bias - w·(μ₊ + μ₋)/2, as a probe has them.
    package func parameters(weights w: [Double], bias: Double = 0) -> [Float] {
        var b = bias
        for d in w.indices { b -= w[d] * (means[1][d] + means[0][d]) / 2 }
        return w.map { Float($0) } + [Float(b)]
    }
}
