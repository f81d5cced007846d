// Which tokens of a sequence a probe may look at, as an expression says it:
//
//     first:16, last:16          the first or last sixteen tokens of the sequence
//     after:151644,77091,198     the tokens behind the last place where these ids stand side by side; none where they do not
//     before:151645              the tokens before the first such place; all where there is none
//     regex:^[0-9]               the tokens in whose text the regular expression finds something
//     reply                      the tokens behind the first `prompt_length` of the sequence
//
//     not first:1 and (last:64 or regex:"[!?] *$")
//
// `not` binds closest, then `and`, then `or`. A pattern ends at a blank, or at a parenthesis that it does not open; in
// quotation marks it may hold both.

/// Which tokens of a sequence a probe may look at, as an expression.
public struct TokenMask: Sendable, Equatable, CustomStringConvertible {
    indirect enum Term: Sendable, Equatable {
        case first(Int), last(Int)
        case after([Int]), before([Int])
        case regex(String)
        case reply
        case not(Term)
        case and(Term, Term), or(Term, Term)
    }

    let term: Term

    /// Where a text is no expression: what was expected and what was found.
    public struct Fault: Error, Equatable, CustomStringConvertible {
        let expected: String
        let found: String
        /// "expected a number from 1, found last:x".
        public var description: String { "expected \(expected), found \(found)" }
    }

    /// Reads an expression, such as "last:16" or "after:77091,198 and not regex:^<".
    public init(_ text: String) throws(Fault) {
        var parser = MaskParser(text)
        term = try parser.whole()
    }

    /// The expression in a form that is the same for those that differ in blanks or needless parentheses alone.
    public var description: String { term.text(within: 0) }

    /// The expression that leaves what both leave.
    func and(_ other: TokenMask) -> TokenMask { TokenMask(term: .and(term, other.term)) }

    private init(term: Term) { self.term = term }

    /// Whether it asks for the ids of tokens.
    var needsIDs: Bool {
        term.contains {
            switch $0 {
            case .after, .before: true
            default: false
            }
        }
    }

    /// Whether it asks for the texts of tokens.
    var needsText: Bool { term.contains { if case .regex = $0 { true } else { false } } }

    /// Whether it asks for the number of tokens before a reply.
    package var needsPromptLengths: Bool { term.contains { $0 == .reply } }
}

extension TokenMask.Term {
    func contains(_ condition: (Self) -> Bool) -> Bool {
        switch self {
        case .not(let term): term.contains(condition)
        case .and(let a, let b), .or(let a, let b): a.contains(condition) || b.contains(condition)
        default: condition(self)
        }
    }

    // `strength`: how close what stands around it binds: 0 nothing, 1 or, 2 and, 3 not.
    fileprivate func text(within strength: Int) -> String {
        func binding(_ own: Int, _ text: String) -> String { own < strength ? "(\(text))" : text }
        func list(_ ids: [Int]) -> String { ids.map(String.init).joined(separator: ",") }
        return switch self {
        case .first(let count): "first:\(count)"
        case .last(let count): "last:\(count)"
        case .after(let ids): "after:\(list(ids))"
        case .before(let ids): "before:\(list(ids))"
        case .regex(let pattern): "regex:\"\(pattern)\""
        case .reply: "reply"
        case .not(let term): "not " + term.text(within: 3)
        case .and(let a, let b): binding(2, a.text(within: 2) + " and " + b.text(within: 2))
        case .or(let a, let b): binding(1, a.text(within: 1) + " or " + b.text(within: 1))
        }
    }
}

private struct MaskParser {
    private typealias Term = TokenMask.Term
    private typealias Fault = TokenMask.Fault

    private let text: [Character]
    private var place = 0
    private var depth = 0
    private var leaves = 0

    // Deeper ones are refused: nobody writes them, and each level takes some of the stack.
    private static let mostDepth = 64
    private static let mostLeaves = 256
    private static let terms =
        "last:N, first:N, after:ID,…, before:ID,…, regex:PATTERN, reply, not or a parenthesis"

    init(_ text: String) { self.text = Array(text) }

    mutating func whole() throws(TokenMask.Fault) -> TokenMask.Term {
        let term = try alternatives()
        guard word.isEmpty else { throw Fault(expected: "and, or, or the end", found: word) }
        return term
    }

    private mutating func alternatives() throws(TokenMask.Fault) -> TokenMask.Term {
        var term = try conjunction()
        while take("or") { term = .or(term, try conjunction()) }
        return term
    }

    private mutating func conjunction() throws(TokenMask.Fault) -> TokenMask.Term {
        var term = try operand()
        while take("and") { term = .and(term, try operand()) }
        return term
    }

    private mutating func operand() throws(TokenMask.Fault) -> TokenMask.Term {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.mostDepth else {
            throw Fault(expected: "at most \(Self.mostDepth) parentheses in each other", found: "more")
        }
        if take("not") { return .not(try operand()) }
        guard take("(") else { return try leaf() }
        let inner = try alternatives()
        guard take(")") else {
            throw Fault(expected: "and, or, or a closing parenthesis", found: word.isEmpty ? "the end" : word)
        }
        return inner
    }

    private mutating func leaf() throws(TokenMask.Fault) -> TokenMask.Term {
        leaves += 1
        guard leaves <= Self.mostLeaves else {
            throw Fault(expected: "at most \(Self.mostLeaves) terms", found: "more")
        }
        let word = word
        let parts = word.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(
            String.init)
        guard parts.count == 2 || word == "reply" else {
            throw Fault(expected: Self.terms, found: word.isEmpty ? "the end" : word)
        }
        if parts[0] == "regex" { return .regex(try pattern()) }
        place += word.count
        switch parts[0] {
        case "reply" where parts.count == 1: return .reply
        case "first": return .first(try count(parts[1], word))
        case "last": return .last(try count(parts[1], word))
        case "after": return .after(try ids(parts[1], word))
        case "before": return .before(try ids(parts[1], word))
        default: throw Fault(expected: Self.terms, found: word)
        }
    }

    private func count(_ text: String, _ word: String) throws(TokenMask.Fault) -> Int {
        guard let count = Int(text), count > 0 else {
            throw Fault(expected: "a number of tokens from 1", found: word)
        }
        return count
    }

    private func ids(_ text: String, _ word: String) throws(TokenMask.Fault) -> [Int] {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        let ids = parts.compactMap { Int($0) }
        guard ids.count == parts.count, ids.allSatisfy({ $0 >= 0 }) else {
            throw Fault(expected: "ids of tokens from 0, with commas between them", found: word)
        }
        return ids
    }

    // What stands behind "regex:", which is next.
    private mutating func pattern() throws(TokenMask.Fault) -> String {
        place += "regex:".count
        let isQuoted = place < text.count && text[place] == "\""
        if isQuoted { place += 1 }
        let start = place
        var pattern = ""
        var open = 0
        func isEnd(_ character: Character) -> Bool {
            isQuoted ? character == "\"" : character.isWhitespace || character == ")" && open == 0
        }
        while place < text.count, !isEnd(text[place]) {
            if text[place] == "(" { open += 1 }
            if text[place] == ")" { open -= 1 }
            // So it can be written in quotation marks.
            if text[place] == "\"" { pattern.append("\\") }
            // What stands behind a backslash is no mark.
            let length = text[place] == "\\" && place + 1 < text.count ? 2 : 1
            pattern.append(contentsOf: text[place..<place + length])
            place += length
        }
        if isQuoted {
            guard place < text.count else {
                throw Fault(expected: "a second quotation mark", found: String(text[start...]))
            }
            place += 1
        }
        guard !pattern.isEmpty, (try? Regex(pattern)) != nil else {
            throw Fault(
                expected: "a regular expression, with blanks or parentheses of its own in quotation marks",
                found: pattern.isEmpty ? "none" : pattern)
        }
        return pattern
    }

    // The next word, or a parenthesis; empty at the end.
    private var word: String {
        guard place < text.count else { return "" }
        if "()".contains(text[place]) { return String(text[place]) }
        return String(text[place...].prefix { !$0.isWhitespace && !"()".contains($0) })
    }

    private mutating func take(_ expected: String) -> Bool {
        skipBlanks()
        guard word == expected else { return false }
        place += expected.count
        skipBlanks()
        return true
    }

    private mutating func skipBlanks() { while place < text.count, text[place].isWhitespace { place += 1 } }
}
