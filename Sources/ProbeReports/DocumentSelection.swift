// Which documents a report shows: those that say most about a probe.
import Tensors
import Activations

/// Why a document is shown.
enum DocumentGroup: String, CaseIterable, Encodable {
    /// Predicted wrong, the surest first.
    case mistakes
    /// Predicted right (binary: found), the surest first; without labels the surest predictions.
    case hits
    /// Nearest to being predicted otherwise.
    case nearest
    /// Any.
    case random
}

/// How sure a prediction is, whether it is right, and what to call that.
struct Judgement {
    /// Distance of the logits from another prediction; for regression without labels the first output.
    let margin: Float
    /// How wrong a wrong prediction is; for regression its squared error.
    let fault: Float
    /// nil without labels and for regression.
    let isRight: Bool?
    /// Whether there is something to be found: the second class, or any class for multilabel.
    let isHit: Bool
    /// "true positive", "wrong", …; nil without labels and for regression.
    let outcome: String?

    /// - Parameter limit: the logit from which on a class counts as present.
    init(_ task: ProbeTask, _ logits: [Float], predicted: [Int], target: Target?, limit: Float) {
        switch task {
        case .binary:
            (margin, fault) = (abs(logits[0] - limit), abs(logits[0] - limit))
            let positive = predicted == [1]
            if let label = target?.hardClass {
                isRight = predicted == [label]
                isHit = positive && label == 1
                outcome = (isRight! ? "true " : "false ") + (positive ? "positive" : "negative")
            } else {
                (isRight, isHit, outcome) = (nil, positive, nil)
            }
        case .multiclass:
            let sorted = logits.sorted(by: >)
            margin = sorted.count > 1 ? sorted[0] - sorted[1] : sorted[0]
            if case .class(let label)? = target {
                isRight = predicted == [label]
                fault = sorted[0] - logits[label]
                (isHit, outcome) = (isRight!, isRight! ? "right" : "wrong")
            } else {
                (isRight, isHit, outcome, fault) = (nil, true, nil, 0)
            }
        case .multilabel:
            margin = logits.map { abs($0 - limit) }.min()!
            if case .values(let values)? = target {
                let labels = values.indices.filter { values[$0] >= 0.5 }.map { $0 - values.startIndex }
                isRight = predicted == labels
                let wrong = Set(predicted).symmetricDifference(labels)
                fault = wrong.map { abs(logits[$0] - limit) }.max() ?? 0
                isHit = isRight! && !labels.isEmpty
                outcome = isRight! ? "right in every class" : "wrong in some class"
            } else {
                (isRight, isHit, outcome, fault) = (nil, !predicted.isEmpty, nil, 0)
            }
        case .regression:
            margin = logits[0]
            (isRight, isHit, outcome) = (nil, true, nil)
            if case .values(let values)? = target {
                fault = zip(logits, values).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
            } else {
                fault = 0
            }
        }
    }
}

/// The documents to show, and of which groups each is.
struct DocumentSelection {
    /// Documents by group, the most telling first.
    let groups: [(group: DocumentGroup, indices: [Int])]

    /// At most `count` documents of each group.
    init(_ judgements: [Judgement], _ task: ProbeTask, isLabelled: Bool, count: Int, seed: UInt64) {
        func first(_ candidates: [Int], by value: (Judgement) -> Float) -> [Int] {
            Array(
                candidates.sorted { (value(judgements[$0]), $0) < (value(judgements[$1]), $1) }.prefix(count))
        }
        let all = Array(judgements.indices)
        let hits = all.filter { judgements[$0].isHit }
        var isRegression = false
        if case .regression = task { isRegression = true }
        var generator = SeededGenerator(seed: seed, stream: RandomStream.documents)
        let random = Array(all.shuffled(using: &generator).prefix(count))
        switch (isRegression, isLabelled) {
        case (true, true):
            groups = [
                (.mistakes, first(all) { -$0.fault }), (.hits, first(all) { $0.fault }), (.random, random),
            ]
        case (true, false):
            groups = [(.hits, first(all) { -$0.margin }), (.random, random)]
        case (false, _):
            let wrong = all.filter { judgements[$0].isRight == false }
            let mistakes = isLabelled ? [(DocumentGroup.mistakes, first(wrong) { -$0.fault })] : []
            groups =
                mistakes + [(.hits, first(hits) { -$0.margin })]
                + [(.nearest, first(all) { $0.margin }), (.random, random)]
        }
    }

    /// The documents group by group, each once.
    var inGroups: [Int] {
        var seen: Set<Int> = []
        return groups.flatMap(\.indices).filter { seen.insert($0).inserted }
    }

    /// The documents in turns: the first of each group, the second of each, and so on, each once.
    var inTurns: [Int] {
        var seen: Set<Int> = []
        let most = groups.map(\.indices.count).max() ?? 0
        return (0..<most).flatMap { rank in
            groups.compactMap { rank < $0.indices.count ? $0.indices[rank] : nil }
        }
        .filter { seen.insert($0).inserted }
    }
}
