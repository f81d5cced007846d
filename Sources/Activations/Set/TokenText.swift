// What the tokens of a set are called.

extension ActivationSet {
    /// The text of the token at a position of a sequence; without text its id, "#1037", and without
    /// either its position, "[12]".
    public func tokenText(_ index: Int, position: Int) -> String {
        let location = locations[index]
        let file = files[location.file]
        return file.tokenText(file.batch.rows(location.sequence).lowerBound + position) ?? "[\(position)]"
    }

    /// The ids of the tokens of a sequence that a probe may look at; nil where its file has none.
    package func tokenIDs(_ index: Int) -> [Int]? {
        let location = locations[index]
        let file = files[location.file]
        guard file.hasTokenIDs else { return nil }
        let (sequence, first) = (self[index], file.batch.rows(location.sequence).lowerBound)
        return (0..<sequence.count).map { file.tokenID(first + sequence.position($0))! }
    }

    /// Whether tokens of all files have texts.
    package var hasTokenText: Bool { files.allSatisfy(\.hasTokenText) }

    /// Whether tokens of all files have texts or ids, so that two of one name are the same token.
    package var namesTokens: Bool { files.allSatisfy { $0.hasTokenText || $0.hasTokenIDs } }

    /// Whether the bytes of a token's text are UTF-8; true where it has no text.
    package func isTokenTextValid(_ index: Int, position: Int) -> Bool {
        let location = locations[index]
        let file = files[location.file]
        return file.isTokenTextValid(file.batch.rows(location.sequence).lowerBound + position)
    }
}
