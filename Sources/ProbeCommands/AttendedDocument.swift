import AttentionProbes

/// A document and the tokens that a probe looked at most.
struct AttendedDocument: Encodable {
    struct Token: Encodable {
        let position: Int
        let text: String
        /// Mean over the heads.
        let attention: Float
    }

    let id: String
    let label: String?
    let prediction: String
    let probability: Float?
    let tokens: [Token]
    /// What every token has; nil where it was not asked for, and for kinds that cannot be scored token by token.
    var all: AllTokens?

    /// All tokens of a document, those included that the probe may not look at.
    struct AllTokens: Encodable {
        let text: [String]
        /// L×O; null before the first token that the probe may look at.
        let prefix_logits: [[Float?]]
        /// H×L; nil for kinds without attention.
        let attention: [[Float]]?
        /// H×L×O; nil for kinds without attention.
        let contributions: [[[Float]]]?

        init(_ probe: Probe, _ data: ActivationSet, _ index: Int) throws {
            let scores = try probe.tokenScores(data, sequence: index)
            let (positions, outputs) = (0..<data.length(index), probe.task.outputs)
            text = positions.map { data.tokenText(index, position: $0) }
            prefix_logits = positions.map { scores.prefixLogits[row: $0].map { $0.isNaN ? nil : $0 } }
            attention = scores.attention.map { a in (0..<a.columns).map { h in positions.map { a[$0, h] } } }
            contributions = scores.contributions.map { c in
                (0..<c.columns / outputs).map { h in
                    positions.map { t in (0..<outputs).map { c[t, h * outputs + $0] } }
                }
            }
        }
    }

    /// The documents whose prediction has the highest probability, the highest first.
    ///
    /// - Parameter withAll: whether all tokens of each are wanted, with what each head has.
    static func mostConfident(
        _ count: Int, _ scored: ScoredSet, withAll: Bool
    ) throws -> [AttendedDocument] {
        let (probe, data) = (scored.probe, scored.data)
        let confidences = scored.probabilities.map { $0.max() }
        let ranked = data.indices.sorted {
            let (a, b) = (confidences[$0] ?? 0, confidences[$1] ?? 0)
            return a == b ? $0 < $1 : a > b
        }
        let isStreamable = (try? ProbeStream(probe)) != nil
        return try ranked.prefix(count).map { index in
            AttendedDocument(
                id: data.id(index), label: label(data.targets?[index], probe.task.classes),
                prediction: prediction(scored, index),
                probability: confidences[index], tokens: try mostAttended(8, probe, data, index),
                all: withAll && isStreamable ? try AllTokens(probe, data, index) : nil)
        }
    }

    // Classes, or numbers.
    private static func prediction(_ scored: ScoredSet, _ index: Int) -> String {
        guard let classes = scored.probe.task.classes else { return numbers(scored.logits[index]) }
        return scored.predictions[index].map { classes[$0] }.joined(separator: ", ")
    }

    private static func label(_ target: Target?, _ classes: [String]?) -> String? {
        if let target, case .values(let values) = target, classes == nil { return numbers(values) }
        return target?.hardClass.flatMap { classes?[$0] }
    }

    private static func numbers(_ values: some Sequence<Float>) -> String {
        values.map { significant(Double($0)) }.joined(separator: ", ")
    }

    private static func mostAttended(
        _ count: Int, _ probe: Probe, _ data: ActivationSet, _ index: Int
    ) throws -> [Token] {
        guard let (weights, positions) = try probe.attention(data, sequence: index) else { return [] }
        let means = (0..<weights.columns).map { j in
            (0..<weights.rows).reduce(0) { $0 + weights[$1, j] } / Float(weights.rows)
        }
        let ranked = means.indices.sorted {
            abs(means[$0]) == abs(means[$1]) ? $0 < $1 : abs(means[$0]) > abs(means[$1])
        }
        return ranked.prefix(count).map { j in
            Token(
                position: positions[j], text: data.tokenText(index, position: positions[j]),
                attention: means[j])
        }
    }

    /// A line about the document and one with its tokens, control characters made visible.
    var text: String {
        let probability = probability.map { " (p \(Double($0).fixed(3)))" } ?? ""
        let labelled = label.map { ", labelled \($0.printable)" } ?? ""
        var line = " "
        for token in tokens {
            let text = token.text.printable.trimmed
            let part = " \(text) \(Double(token.attention).fixed(2))"
            if line.displayWidth + part.displayWidth > 78 { break }
            line += part + " "
        }
        let found = prediction.isEmpty ? "no class" : prediction.printable
        return "\(id.printable): \(found)\(probability)\(labelled)\n\(line)"
    }
}
