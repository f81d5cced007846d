// Whether a file holds what `ActivationWriter` would write, so that a run that goes on can leave it as it is.
package import Tensors

extension ActivationSet {
    /// Whether another set, from a file that was written earlier, is this one as `write(to:as:)` writes it: all that is
    /// known about the sequences is compared, and the first tokens of some sixteen of them, the first and the
    /// last among these.
    ///
    /// - Parameter type: how hidden states are stored; nil for `storedType`.
    /// - Throws: `DataError` where a file has become shorter.
    package func isWritten(in copy: ActivationSet, as type: ElementType? = nil) throws -> Bool {
        for set in [self, copy] { try set.checkLengths(set.indices) }
        let isSame = looksWritten(in: copy, as: type)
        for set in [self, copy] { try set.checkNothingLost(set.indices) }
        return isSame
    }

    private func looksWritten(in copy: ActivationSet, as type: ElementType?) -> Bool {
        let type = type ?? storedType
        let used = Set(locations.map(\.file)).map { files[$0] }
        let hasIDs = used.allSatisfy(\.hasTokenIDs)
        let hasText = used.allSatisfy(\.hasTokenText)
        let hasMask = used.contains { $0.batch.tokenMask != nil }
        guard copy.count == count, copy.width == width, copy.storedType == type,
            copy.targets == targets, copy.groups == groups, copy.weights == weights,
            copy.files.allSatisfy({
                $0.metadata == flatMetadata && $0.hasTokenIDs == hasIDs && $0.hasTokenText == hasText
                    && ($0.batch.tokenMask != nil) == hasMask
            }),
            indices.allSatisfy({
                copy.length($0) == length($0) && copy.id($0).idBytes == id($0).idBytes
            })
        else { return false }
        return Set(stride(from: 0, to: count, by: max(1, count / 16))).union([count - 1])
            .allSatisfy { index in
                firstTokens(index, as: type, hasIDs, hasText)
                    == copy.firstTokens(index, as: type, hasIDs, hasText)
            }
    }

    private struct Tokens: Equatable {
        let states: [UInt8]
        let scales: [Float]
        let mask: [Bool]
        let ids: [Int?]
        let text: [[UInt8]?]
    }

    private func firstTokens(_ index: Int, as type: ElementType, _ hasIDs: Bool, _ hasText: Bool) -> Tokens {
        let (file, all) = rows(index)
        let rows = all.prefix(256)
        let tokens = file.batch.tokens
        var states = [UInt8](repeating: 0, count: rows.count * width * type.size)
        var scales: [Float] = []
        if tokens.keepsBits(as: type) {
            tokens.copyRows(rows, into: &states, at: 0)
            scales = tokens.scales(rows)
        } else {
            var scratch: [Float] = []
            tokens.withRows(rows, scratch: &scratch) {
                scales = narrow($0, columns: width, as: type, into: &states, at: 0)
            }
        }
        return Tokens(
            states: states, scales: scales, mask: rows.map { file.batch.tokenMask?[$0] ?? true },
            ids: hasIDs ? rows.map(file.tokenID) : [], text: hasText ? rows.map(file.tokenTextBytes) : [])
    }
}
