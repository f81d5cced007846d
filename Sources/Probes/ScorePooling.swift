/// A way to make one number of the scores that a probe gives the tokens of a sequence.
public protocol ScorePooling: Sendable {
    /// The pooled score of z_1 … z_n, n ≥ 1.
    func pool(_ z: Span<Float>) -> Float
    /// ∂pool/∂z_j, for every j, times g.
    func backward(_ z: Span<Float>, _ g: Float, into dz: inout MutableSpan<Float>)
}
