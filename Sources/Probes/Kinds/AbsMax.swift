extension ProbeKind {
    /// A linear probe on the largest magnitude of each dimension: its output comes from single dimensions of
    /// different tokens, so that no token has a part of it.
    public static let absmax = ProbeKind("absmax", pooling: .absmax) { kind in
        kind.isConvex = true
        kind.tokenQuantity = .none
    }
}
