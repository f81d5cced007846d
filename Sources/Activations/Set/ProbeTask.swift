private import Glibc

/// What a probe predicts, and how its outputs ("logits") are read.
public enum ProbeTask: Sendable, Equatable {
    /// One of two classes: one output, the logit of the second class.
    case binary(classes: [String])
    /// One of several classes: one output a class, softmax over them.
    case multiclass(classes: [String])
    /// Any number of classes at once: one output a class, each its own logit.
    case multilabel(classes: [String])
    /// Numbers: the outputs themselves.
    case regression(outputs: Int)

    /// Which of the four it is, whatever its classes or outputs.
    public enum Kind: String, Sendable, CaseIterable, Codable {
        /// One of two classes.
        case binary
        /// One of several classes.
        case multiclass
        /// Any number of classes at once.
        case multilabel
        /// Numbers.
        case regression
    }

    /// Which of the four it is.
    public var kind: Kind {
        switch self {
        case .binary: .binary
        case .multiclass: .multiclass
        case .multilabel: .multilabel
        case .regression: .regression
        }
    }

    /// The name in probe files and on the command line.
    package var name: String { kind.rawValue }

    /// O, the number of outputs.
    public var outputs: Int {
        switch self {
        case .binary: 1
        case .multiclass(let classes), .multilabel(let classes): classes.count
        case .regression(let outputs): outputs
        }
    }

    /// Names of the classes; nil for regression.
    public var classes: [String]? {
        switch self {
        case .binary(let classes), .multiclass(let classes), .multilabel(let classes): classes
        case .regression: nil
        }
    }

    /// The class that the output of a binary task is the logit of, which false and true positives are counted by;
    /// nil for other tasks.
    package var positiveClass: String? { isBinary ? classes![1] : nil }

    /// The same with another of the two classes as the positive one; nil where the task is not binary, or has no such
    /// class.
    public func positive(_ name: String) -> ProbeTask? {
        guard case .binary(let names) = self, let index = names.firstIndex(of: name) else { return nil }
        return index == 1 ? self : .binary(classes: [names[1], names[0]])
    }

    /// Whether a probability is compared with a threshold.
    package var hasThreshold: Bool {
        switch self {
        case .binary, .multilabel: true
        case .multiclass, .regression: false
        }
    }

    /// Whether it is one of two classes.
    package var isBinary: Bool { kind == .binary }

    /// Probabilities from the logits of one sequence, without calibration, O values; empty for regression.
    package func probabilities(_ logits: some Collection<Float>) -> [Float] {
        switch self {
        case .binary, .multilabel: return logits.map(sigmoid)
        case .multiclass:
            let largest = logits.max() ?? 0
            let exponentials = logits.map { exp(Double($0 - largest)) }
            let sum = exponentials.reduce(0, +)
            return exponentials.map { Float($0 / sum) }
        case .regression: return []
        }
    }

    /// Indices of the predicted classes of one sequence: one for binary and multiclass, any number
    /// for multilabel, none for regression. A probability at the threshold counts as positive; of
    /// equal classes the first is taken.
    package func predictedClasses(_ probabilities: [Float], threshold: Double) -> [Int] {
        switch self {
        case .binary: [Double(probabilities[0]) >= threshold ? 1 : 0]
        case .multiclass:
            [
                probabilities.indices.max {
                    probabilities[$0] < probabilities[$1]
                        || (probabilities[$0] == probabilities[$1] && $0 > $1)
                }!
            ]
        case .multilabel: probabilities.indices.filter { Double(probabilities[$0]) >= threshold }
        case .regression: []
        }
    }
}

/// 1 / (1 + e⁻ˣ), without overflow, rounded from double precision.
package func sigmoid(_ x: Float) -> Float {
    let e = exp(-abs(Double(x)))
    return Float(x >= 0 ? 1 / (1 + e) : e / (1 + e))
}
