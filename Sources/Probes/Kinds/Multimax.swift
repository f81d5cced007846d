extension ProbeKind {
    /// Of each head, the largest score, added (Kramár et al., 2026, arXiv 2601.11516). There the scores are of tokens
    /// behind two layers; here these are a choice.
    public static let multimax = ProbeKind(
        "multimax", [.heads: 8, .units: 0], scores: { _ in MaxPooling() }
    ) { kind in
        kind.addsHeads = true
        kind.grid = Grid(rank: 1) { $0.classes == nil ? [] : [.init()] }
    }
}
