// A set of which probes may look at some tokens only, as an expression says (`TokenMask.swift`) and as files say.
public import Tensors

extension ActivationSet {
    /// The same sequences with only the tokens in sight that an expression leaves, of those that were in sight.
    ///
    /// - Parameters:
    ///   - promptLengths: N, how many tokens of each sequence stand before the reply; nil where that is not known, and
    ///     the expression leaves all then.
    ///   - skipsEmpty: whether sequences of which no token is left are left out; else they are an error.
    /// - Precondition: there are prompt lengths where the expression asks for them.
    /// - Throws: `DataError` where tokens have no ids or texts that the expression asks for, no token is left, or a
    ///   sequence has fewer tokens than its prompt is said to have.
    public func masked(
        by mask: TokenMask, promptLengths: [Int?] = [], skipsEmpty: Bool = false,
        threads: Int = Parallel.availableThreads
    ) throws -> ActivationSet {
        precondition(
            !mask.needsPromptLengths || promptLengths.count == count, "one prompt length a sequence")
        let sequences = Dictionary(grouping: indices) { locations[$0].file }
        let masked = try Parallel.map(
            count: files.count, threads: threads, workspace: { MaskEvaluation(mask) }
        ) { number, evaluation -> Result<ActivationFile, DataError> in
            let file = files[number]
            guard let own = sequences[number] else { return .success(file) }
            if let fault = mask.fault(file) { return .failure(fault) }
            var isSeen = file.batch.tokenMask ?? Array(repeating: true, count: file.batch.tokens.rows)
            for index in own {
                let rows = file.batch.rows(locations[index].sequence)
                let promptLength = mask.needsPromptLengths ? promptLengths[index] : nil
                if !skipsEmpty, let promptLength, promptLength > rows.count {
                    return .failure(
                        DataError(
                            .shape, file.path, name(index),
                            expected: "a prompt_length of at most its \(rows.count) tokens",
                            found: "\(promptLength)"))
                }
                let found = evaluation.tokens(of: file, rows, promptLength: promptLength)
                for (row, isFound) in zip(rows, found) where !isFound { isSeen[row] = false }
                guard skipsEmpty || isSeen[rows].contains(true) else {
                    return .failure(
                        DataError(
                            .emptySequence, file.path, name(index),
                            expected:
                                "a token that --mask \(mask) lets the probe look at (--skip-empty leaves out what has none)",
                            found: "none"))
                }
            }
            return .success(ActivationFile(file, tokenMask: isSeen, mask: mask))
        }
        let set = ActivationSet(self, files: try masked.map { try $0.get() })
        return skipsEmpty ? try set.skippingEmpty() : set
    }

    /// The expression that says which tokens are in sight, if all files say the same.
    package var mask: String? {
        let all = Set(files.map { $0.metadata[ActivationFile.maskKey] })
        return all.count == 1 ? all.first! : nil
    }
}

extension TokenMask {
    // What a file lacks of what the expression asks for.
    fileprivate func fault(_ file: ActivationFile) -> DataError? {
        for (isNeeded, isThere, name) in [
            (needsIDs, file.hasTokenIDs, "token_ids"), (needsText, file.hasTokenText, "token_text"),
        ] where isNeeded && !isThere {
            return DataError(
                .missingTensor, file.path, expected: "a tensor \(name), which --mask \(self) goes by",
                found: "none")
        }
        return nil
    }
}

/// Finds out which tokens of sequences an expression leaves, one sequence after the other.
private struct MaskEvaluation {
    private let mask: TokenMask
    // What is known of each pattern: most texts stand for many tokens, and to match one takes microseconds.
    private var patterns: [String: (regex: Regex<AnyRegexOutput>, isFound: [[UInt8]: Bool])] = [:]
    private static let mostKept = 1 << 19

    init(_ mask: TokenMask) { self.mask = mask }

    /// For each row whether it is left.
    mutating func tokens(of file: ActivationFile, _ rows: Range<Int>, promptLength: Int?) -> [Bool] {
        // Each id is read once, of however many places it is compared with.
        let ids = mask.needsIDs ? rows.map { file.tokenID($0)! } : []
        return evaluate(mask.term, file, rows, ids, promptLength)
    }

    private mutating func evaluate(
        _ term: TokenMask.Term, _ file: ActivationFile, _ rows: Range<Int>, _ ids: [Int], _ promptLength: Int?
    ) -> [Bool] {
        func all(_ term: TokenMask.Term) -> [Bool] { evaluate(term, file, rows, ids, promptLength) }
        let places = 0..<rows.count
        switch term {
        case .first(let count): return places.map { $0 < count }
        case .last(let count): return places.map { $0 >= rows.count - count }
        case .after(let wanted):
            let start = Self.starts(of: wanted, in: ids).last.map { $0 + wanted.count } ?? rows.count
            return places.map { $0 >= start }
        case .before(let wanted):
            let end = Self.starts(of: wanted, in: ids).first ?? rows.count
            return places.map { $0 < end }
        case .regex(let pattern): return rows.map { matches(pattern, file.tokenTextBytes($0)!) }
        case .reply: return places.map { $0 >= promptLength ?? 0 }
        case .not(let term): return all(term).map { !$0 }
        case .and(let a, let b): return zip(all(a), all(b)).map { $0 && $1 }
        case .or(let a, let b): return zip(all(a), all(b)).map { $0 || $1 }
        }
    }

    // Where some ids stand side by side among others.
    private static func starts(of wanted: [Int], in ids: [Int]) -> [Int] {
        guard ids.count >= wanted.count else { return [] }
        return (0...ids.count - wanted.count).filter { start in
            wanted.indices.allSatisfy { ids[start + $0] == wanted[$0] }
        }
    }

    private mutating func matches(_ pattern: String, _ text: [UInt8]) -> Bool {
        if let known = patterns[pattern]?.isFound[text] { return known }
        // The parser of the expression has compiled it.
        let regex = patterns[pattern]?.regex ?? (try! Regex(pattern))
        let match = try? regex.firstMatch(in: String(decoding: text, as: UTF8.self))
        if patterns[pattern, default: (regex, [:])].isFound.count == Self.mostKept {
            patterns[pattern]!.isFound = [:]
        }
        patterns[pattern, default: (regex, [:])].isFound[text] = match != nil
        return match != nil
    }
}
