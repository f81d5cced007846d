public import AttentionProbes

extension ActivationSet {
    /// The same sequences in memory with other numbers, each given its place among all of them and what it was.
    public func mapped(_ value: (Int, Float) -> Float) throws -> ActivationSet {
        var (numbers, offsets, scratch): ([Float], [Int], [Float]) = ([], [0], [])
        for index in indices {
            let sequence = self[index]
            sequence.withTokens(0..<sequence.count, scratch: &scratch) { tokens in
                for i in tokens.indices { numbers.append(value(numbers.count, tokens[i])) }
            }
            offsets.append(offsets[index] + sequence.count)
        }
        let batch = try RaggedBatch(tokens: TokenMatrix(numbers, columns: width), offsets: offsets)
        return try ActivationSet([
            ActivationFile(batch, targets: targets, classes: classes, groups: groups, weights: weights)
        ])
    }

    /// The same sequences with something added to every number.
    public func moved(by offset: Float) throws -> ActivationSet { try mapped { $1 + offset } }
}
