public import Activations
public import Tensors

/// What a probe says of the tokens of one sequence.
public struct TokenScores: Sendable {
    /// The outputs of the sequence up to and with each token, L×O; NaN before the first token that the probe may look
    /// at.
    public let prefixLogits: Matrix
    /// The attention of each head to each token of the whole sequence, L×H, 0 where the probe may not look; nil for
    /// kinds without attention over a sequence.
    public let attention: Matrix?
    /// What each token adds to each output through each head, L×(H·O) with head h and output o in column h·O+o, 0 where
    /// the probe may not look; nil for kinds without attention over a sequence.
    public let contributions: Matrix?
}

extension Probe {
    /// Scores every prefix of a sequence, and tells where the probe looks in all of it. O(L·R·D) with R weight rows.
    ///
    /// - Precondition: the sequence is one of the set.
    /// - Throws: `DataError` where widths differ, a hidden state is NaN or infinite, a file has become shorter, or the
    ///   probe is of a kind that cannot be scored token by token.
    public func tokenScores(_ data: ActivationSet, sequence index: Int) throws -> TokenScores {
        try ProbeSet([self]).checkFits(data)
        try data.checkLengths(index..<index + 1)
        var work = TokenScorer.Workspace()
        return try TokenScorer([self]).scores(data, index, &work)[0]
    }
}

/// Hands over what several probes of one width say of the tokens of each sequence of a set, one result a probe, from
/// any thread and in any order.
///
/// - Parameter tellsDetails: whether attention and contributions are wanted.
/// - Precondition: there is a probe, and the data are as wide.
/// - Throws: `DataError` where a hidden state is NaN or infinite, a file has become shorter, or a probe is of a kind that
///   cannot be scored token by token.
package func forEachTokenScores(
    _ probes: [Probe], _ data: ActivationSet, tellsDetails: Bool, threads: Int,
    _ body: @Sendable (Int, [TokenScores]) -> Void
) throws {
    let scorer = try TokenScorer(probes, tellsDetails: tellsDetails)
    try data.checkLengths(data.indices)
    _ = try Parallel.map(count: data.count, threads: threads, workspace: TokenScorer.Workspace.init) {
        try body($0, scorer.scores(data, $0, &$1))
    }
}

extension TokenScorer {
    /// Scores a sequence of a set.
    func scores(_ data: ActivationSet, _ index: Int, _ work: inout Workspace) throws -> [TokenScores] {
        var (logits, attention, contributions): ([Float], [Float], [Float]) = ([], [], [])
        let length = data.length(index)
        logits.reserveCapacity(length * pass.outputCount)
        attention.reserveCapacity(length * headCount)
        contributions.reserveCapacity(length * contributionCount)
        try score(data, index, &work) {
            logits += $1
        } details: {
            attention += $1
            contributions += $2
        }
        let (allLogits, allHeads, allParts) = (
            Matrix(rows: length, columns: pass.outputCount, storage: logits),
            Matrix(rows: headCount > 0 ? length : 0, columns: headCount, storage: attention),
            Matrix(rows: headCount > 0 ? length : 0, columns: contributionCount, storage: contributions)
        )
        if pass.probes.count == 1 {
            return [
                TokenScores(
                    prefixLogits: allLogits, attention: headCount > 0 ? allHeads : nil,
                    contributions: headCount > 0 ? allParts : nil)
            ]
        }
        return pass.probes.indices.map { i in
            let ranges = pass.detailRanges[i]
            return TokenScores(
                prefixLogits: allLogits.columns(pass.outputRange(i)),
                attention: ranges.heads.isEmpty ? nil : allHeads.columns(ranges.heads),
                contributions: ranges.heads.isEmpty ? nil : allParts.columns(ranges.contributions))
        }
    }

    /// `score` with the error that names the sequence.
    func score(
        _ data: ActivationSet, _ index: Int, _ work: inout Workspace,
        prefixes: (Range<Int>, [Float]) throws -> Void,
        details: (Range<Int>, _ attention: [Float], _ contributions: [Float]) throws -> Void
    ) throws {
        do {
            try score(data[index], &work, prefixes: prefixes, details: details)
        } catch is NonFiniteProjection {
            throw data.projectionError(in: index)
        }
    }
}
