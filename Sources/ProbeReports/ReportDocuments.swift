import Activations
import Probes

/// What stands above the documents of a page.
struct DocumentSection {
    let notes: [String]
    /// How often the predictions of each pattern of ids are right; nil where there are none.
    let patterns: Table?
}

/// The documents of a page and what its script needs to know to show them.
struct ReportDocuments: Encodable {
    /// Whether a document may have several labels, or none.
    let isMultilabel: Bool
    let heads: Int
    /// "softmax" or "tanh"; nil for kinds without attention.
    let attention: String?
    /// See `TokenQuantity`.
    let quantity: String
    /// From which probability on a document is flagged; nil where there is not one probability.
    let threshold: Double?
    let groups: [Group]
    /// Mistakes first, then hits.
    let documents: [ReportDocument]
    /// Documents that were chosen and would have made the page too large.
    let leftOut: Int

    struct Group: Encodable {
        let name, title: String
        /// Places in `documents`.
        let members: [Int]
    }

    private static let usualCount = 25
    // Bytes of documents, and of a page with some room for what is said about them.
    private static let usualSize = 3_600_000
    private static let usualPageSize = 4_900_000

    /// - Parameters:
    ///   - patterns: of the ids of all sequences; nil where they have none.
    ///   - pageSize: bytes of the page without documents.
    init(
        _ probe: Probe, _ data: ActivationSet, _ scored: JudgedSet, _ options: ProbeReport.Options,
        patterns: IdPatterns?, pageSize: Int
    ) throws {
        let room = min(Self.usualSize, Self.usualPageSize - pageSize)
        let selection = DocumentSelection(
            scored.judgements, probe.task, isLabelled: scored.targets != nil,
            count: data.areScores ? 0 : options.documents ?? Self.usualCount, seed: options.seed)
        let isAttention = probe.configuration.attends
        if case .multilabel = probe.task { isMultilabel = true } else { isMultilabel = false }
        heads = probe.configuration.heads
        attention = isAttention ? probe.configuration.attention.rawValue : nil
        quantity = probe.configuration.tokenQuantity.rawValue
        threshold = probe.task.isBinary ? probe.threshold : nil

        var shown: [Int: ReportDocument] = [:]
        var size = 0
        for index in selection.inTurns {
            // Before the work: eight bytes of base64 stand for six of numbers.
            let numbers =
                heads * data[index].count * (isAttention ? 2 : 1)
                + (threshold == nil ? 0 : data.length(index))
            if options.documents == nil, size + numbers * 16 / 3 > room { continue }
            let document = try ReportDocument(
                probe, data, index, scored.judgements[index], scored, pattern: patterns?.names[index])
            let own = try Page.script(json: document).utf8.count
            if options.documents == nil, size + own > room { continue }
            size += own
            shown[index] = document
        }
        let order = selection.inGroups.filter { shown[$0] != nil }
        let places = Dictionary(uniqueKeysWithValues: zip(order, order.indices))
        documents = order.map { shown[$0]! }
        leftOut = selection.inTurns.count - shown.count
        let isLabelled = scored.targets != nil
        groups = selection.groups.map { group, indices in
            Group(
                name: group.rawValue, title: Self.title(group, probe.task, isLabelled),
                members: indices.compactMap { places[$0] })
        }
    }

    private static func title(_ group: DocumentGroup, _ task: ProbeTask, _ isLabelled: Bool) -> String {
        if case .regression = task {
            return switch group {
            case .hits: isLabelled ? "Closest predictions" : "Highest outputs"
            case .mistakes: "Largest errors"
            case .nearest: "Nearest"
            case .random: "Random"
            }
        }
        return switch group {
        case .hits: isLabelled ? "Most confident hits" : "Most confident"
        case .mistakes: "Worst mistakes"
        case .nearest: task.hasThreshold ? "Nearest the threshold" : "Narrowest margins"
        case .random: "Random"
        }
    }

    /// What is to be known about the documents: what is not there, and why.
    func notes(_ probe: Probe, _ data: ActivationSet) -> [String] {
        if data.areScores { return ["These are scores: the documents that they are of are not here."] }
        var notes: [String] = []
        if leftOut > 0 {
            notes.append(
                "\(leftOut.grouped) \(documents.isEmpty ? "were" : "more were") chosen and left out to keep the "
                    + "page small; --documents N shows N of each group, whatever their size.")
        }
        if documents.isEmpty, leftOut == 0 { notes.append("No document was asked for.") }
        if !data.hasTokenText {
            notes.append(
                data.namesTokens
                    ? "The data have no token_text: #1037 is the token with that id."
                    : "The data have neither token_text nor token_ids: [12] is the token at that position.")
        }
        let invalid = documents.reduce(0) { $0 + $1.invalid.count }
        if invalid > 0 {
            notes.append(
                "The text of \(invalid.grouped("token")) shown is no UTF-8; \u{FFFD} stands for what cannot be read."
            )
        }
        switch probe.configuration.tokenQuantity {
        case .contribution:
            let silent = probe.configuration.parts.filter { !$0.attends }
            if !silent.isEmpty {
                notes.append(
                    "Tokens are shaded by what they add through the parts that attend; "
                        + "what comes from \(silent.map(\.summary).joined(separator: ", ")) is not shown.")
            }
        case .score:
            notes.append(
                "A probe of kind \(probe.configuration.kind.rawValue) has no attention; its tokens are shaded by their scores."
            )
        case .none:
            notes.append(
                "A probe of kind \(probe.configuration.kind.rawValue) has no number for a single token, so that nothing is shaded."
            )
        }
        return notes
    }
}
