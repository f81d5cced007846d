package import Storage

extension ActivationSet {
    /// Hands over ranges of sequences in order, each of about so many tokens. Files are read ahead, and their lengths
    /// looked at before each range.
    ///
    /// - Throws: `DataError` where a file has become shorter; what `body` throws.
    package func forEachChunk(
        from start: Int = 0, tokens most: Int, _ body: (Range<Int>, ReadAhead) throws -> Void
    ) throws {
        var start = start
        let readAhead = readAhead(start..<count)
        while start < count {
            var (end, tokens) = (start, 0)
            while end < count, tokens < most {
                tokens += length(end)
                end += 1
            }
            try checkLengths(start..<end)
            try body(start..<end, readAhead)
            start = end
        }
    }
}
