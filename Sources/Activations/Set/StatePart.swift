/// Columns of hidden states that are in one file: all of them, or of files that are put side by side those of one.
struct StatePart: Sendable {
    let path: String
    /// How many.
    let columns: Int

    /// The parts of some columns of several parts.
    static func taking(_ chosen: [Range<Int>], of parts: [StatePart]) -> [StatePart] {
        chosen.flatMap { range in
            var first = 0
            return parts.compactMap { part in
                defer { first += part.columns }
                let own = range.clamped(to: first..<first + part.columns)
                return own.isEmpty ? nil : StatePart(path: part.path, columns: own.count)
            }
        }
    }
}

extension ActivationFile {
    /// Where a dimension of its hidden states is: in which file, and in words in which layer of several.
    func place(ofDimension dimension: Int) -> (path: String, words: String) {
        var (index, own) = (0, dimension)
        while own >= parts[index].columns { (index, own) = (index + 1, own - parts[index].columns) }
        let path = parts[index].path
        guard let numbers = layers?.numbers, numbers.count > 1 else { return (path, "dimension \(own)") }
        if parts.count == numbers.count { return (path, "layer \(numbers[index]), dimension \(own)") }
        guard batch.width % numbers.count == 0 else { return (path, "dimension \(own)") }
        let (number, rest) = dimension.quotientAndRemainder(dividingBy: batch.width / numbers.count)
        return (path, "layer \(numbers[number]), dimension \(rest)")
    }
}
