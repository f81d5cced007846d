// A document as the page's script reads it. Numbers of tokens are float32, little-endian, row after
// row, in base64: exact, and the shortest text for them.
private import FoundationEssentials
import Tensors
import Activations
import Probes

/// A document with what each of its tokens has.
struct ReportDocument: Encodable {
    let id: String
    /// See `IdPatterns`; nil where ids have none.
    let pattern: String?
    /// Names of classes; nil without labels and for regression.
    let labels: [String]?
    /// Names of classes; for regression the first numbers.
    let predictions: [String]
    let outcome: String?
    let outputs: [Output]
    /// All tokens, hidden ones included.
    let tokens: [String]
    /// Positions of tokens whose text is no UTF-8.
    let invalid: [Int]
    /// Positions of the unmasked tokens; nil if all are.
    let visible: [Int]?
    /// H×n.
    let attention: String?
    let contributions: [Contribution]
    /// Of probes of two classes, the probability of the text up to and with each token, NaN before the first unmasked
    /// one: L numbers.
    let prefixes: String?

    struct Output: Encodable {
        let name: String
        let logit: Float
        /// The target is a number to predict, or of soft labels the probability of the class.
        let probability, target: Float?
    }

    struct Contribution: Encodable {
        let output: String
        /// H×n.
        let values: String
    }

    /// Outputs that a document is shown with at most.
    private static let mostOutputs = 4

    init(
        _ probe: Probe, _ data: ActivationSet, _ index: Int, _ judgement: Judgement, _ scored: JudgedSet,
        pattern: String? = nil
    ) throws {
        self.pattern = pattern
        let (logits, probabilities) = (scored.logits[index], scored.probabilities[index])
        let (names, predicted) = (probe.outputNames, scored.predictions[index])
        id = data.id(index)
        outcome = judgement.outcome
        let classes = probe.task.classes
        let labelled = classes == nil ? nil : Self.labels(scored.targets?[index])
        labels = labelled.map { $0.map { classes![$0] } }
        predictions =
            classes.map { names in predicted.map { names[$0] } }
            ?? logits.prefix(4).map { brief(Double($0)) }

        let ranked = logits.indices.sorted { (logits[$1], $0) < (logits[$0], $1) }
        let telling = Self.telling(probe.task, predicted, labelled ?? [], ranked)
        let shown = (telling + ranked).reduce(into: [Int]()) { if !$0.contains($1) { $0.append($1) } }
        outputs = shown.prefix(Self.mostOutputs).map { o in
            Output(
                name: names[o], logit: logits[o], probability: probabilities.isEmpty ? nil : probabilities[o],
                target: Self.value(scored.targets?[index], o))
        }
        let sequence = data[index]
        let positions = 0..<sequence.rows.count
        tokens = positions.map { data.tokenText(index, position: $0) }
        invalid = positions.filter { !data.isTokenTextValid(index, position: $0) }
        visible =
            sequence.count == sequence.rows.count ? nil : (0..<sequence.count).map(sequence.position)
        let details = try probe.tokenDetails(data, sequence: index, outputs: telling)
        attention = details.attention.map(base64)
        contributions =
            details.contributions
            .map { zip(telling, $0).map { Contribution(output: names[$0], values: base64($1)) } } ?? []
        prefixes = try probe.prefixProbabilities(data, sequence: index).map(base64)
    }

    // The outputs whose contributions are shown: predicted and labelled ones, else the highest.
    private static func telling(_ task: ProbeTask, _ predicted: [Int], _ labels: [Int], _ ranked: [Int])
        -> [Int]
    {
        switch task {
        case .binary: return [0]
        case .multiclass, .multilabel:
            let chosen = predicted + labels.filter { !predicted.contains($0) }
            return chosen.isEmpty ? [ranked[0]] : Array(chosen.prefix(4))
        case .regression(let outputs): return Array(0..<min(4, outputs))
        }
    }

    private static func labels(_ target: Target?) -> [Int]? {
        switch target {
        case .class, .probability: [target!.hardClass!]
        case .values(let values):
            values.indices.filter { values[$0] >= 0.5 }.map { $0 - values.startIndex }
        case nil: nil
        }
    }

    private static func value(_ target: Target?, _ output: Int) -> Float? {
        switch target {
        case .values(let values): values[values.startIndex + output]
        case .probability(let probability): probability
        case .class, nil: nil
        }
    }
}

extension Probe {
    /// What each output is called: its class, or "output 0".
    var outputNames: [String] {
        switch task {
        case .binary(let classes): [classes[1]]
        case .multiclass(let classes), .multilabel(let classes): classes
        case .regression(let outputs): (0..<outputs).map { "output \($0)" }
        }
    }
}

private func base64(_ matrix: Matrix) -> String { base64(matrix.storage) }

private func base64(_ values: [Float]) -> String {
    var bytes = [UInt8]()
    bytes.reserveCapacity(4 * values.count)
    for value in values {
        let bits = value.bitPattern
        for shift in [0, 8, 16, 24] as [UInt32] { bytes.append(UInt8(truncatingIfNeeded: bits >> shift)) }
    }
    return Data(bytes).base64EncodedString()
}
