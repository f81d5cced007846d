extension ProbeKind {
    /// A linear probe on the last token.
    public static let last = ProbeKind("last", pooling: .last) { kind in
        kind.isConvex = true
        kind.grid = Grid(rank: 5) { _ in [.init(l2: [0.01, 0.1])] }
    }
}
