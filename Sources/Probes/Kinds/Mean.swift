extension ProbeKind {
    /// A linear probe on the mean of the tokens (Alain and Bengio, 2016).
    public static let mean = ProbeKind("mean", pooling: .mean) { kind in
        kind.isConvex = true
        kind.grid = Grid(rank: 4) { _ in [.init(l2: [0.001, 0.01, 0.1, 1])] }
    }
}
