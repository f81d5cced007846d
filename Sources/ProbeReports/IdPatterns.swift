// What ids have in common: sets that are put together from several sources often say in a part of the id which source a
// sequence is from.
import ProbeMetrics

/// The pattern of each id of a set: the part before the first separator or behind the last, without the digits and
/// separators at its ends, as "hard" of "hard-0012" and "ab" of "package+ab-054".
struct IdPatterns {
    /// One a sequence.
    let names: [String]

    private static let separators: [Character] = ["/", ":", "|", "+", "#", ".", "_", "-", " "]
    // Fewer say nothing, and more are not patterns.
    private static let usefulCounts = 2...24
    // Sequences a pattern on average, at least.
    private static let leastSequences = 3

    /// nil where ids have no pattern: of all separators and both ends, none gives every id a part, and 2 to 24 different
    /// parts of three ids each on average. Where several do, the one with most parts is taken.
    init?(_ ids: [String]) {
        let ends = Self.separators.flatMap { separator in
            [true, false].map { isFirst in ids.map { Self.part($0, separator, isFirst: isFirst) } }
        }
        let candidates = ends + [ids.map { Self.trimmed($0[...]) }]
        let useful = candidates.filter { parts in
            guard !parts.contains("") else { return false }
            let count = Set(parts).count
            return Self.usefulCounts.contains(count) && count * Self.leastSequences <= ids.count
        }
        guard let best = useful.max(by: { Set($0).count < Set($1).count }) else { return nil }
        names = best
    }

    private static func part(_ id: String, _ separator: Character, isFirst: Bool) -> String {
        guard let place = isFirst ? id.firstIndex(of: separator) : id.lastIndex(of: separator)
        else { return "" }
        return trimmed(isFirst ? id[..<place] : id[id.index(after: place)...])
    }

    private static func trimmed(_ text: Substring) -> String {
        func isEdge(_ character: Character) -> Bool { character.isNumber || separators.contains(character) }
        let start = text.firstIndex { !isEdge($0) } ?? text.endIndex
        let end = text.lastIndex { !isEdge($0) }.map { text.index(after: $0) } ?? start
        return String(text[start..<end])
    }

    /// How often the predictions of each pattern are right, the worst first; nil where nothing is right or wrong.
    func table(_ judgements: [Judgement]) -> Table? {
        let judged = names.indices.filter { judgements[$0].isRight != nil }
        let groups = Dictionary(grouping: judged) { names[$0] }
        let rates = groups.compactMap { name, members in
            ObservedRate(members.count { judgements[$0].isRight! }, of: members.count).map { (name, $0) }
        }
        guard !rates.isEmpty else { return nil }
        return Table(
            "Predictions by pattern of ids",
            ["pattern", "sequences", "wrong", "fraction right", "95 % from", "to"],
            rates.sorted { ($0.1.value, $0.0) < ($1.1.value, $1.0) }.map { name, right in
                [
                    name, String(right.sequences), String(right.sequences - right.flagged),
                    fixed(right.value), fixed(right.low), fixed(right.high),
                ]
            })
    }
}
