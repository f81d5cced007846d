public import Tensors

/// What the sequences of a set are labelled with.
public enum Targets: Sendable, Equatable {
    /// A whole number a sequence, N: where the set has names of classes the index of one, else the value that
    /// names the class.
    case classes([Int])
    /// Numbers, N×O: 0 or 1 a class, or regression targets.
    case values(Matrix)
    /// Soft labels of two classes, N: the probability of the second class, from 0 to 1, as a teacher gives it.
    case probabilities([Float])

    /// Different classes that a set may have.
    static let mostClasses = 65536

    /// N.
    public var count: Int {
        switch self {
        case .classes(let classes): classes.count
        case .values(let values): values.rows
        case .probabilities(let probabilities): probabilities.count
        }
    }

    /// The target of one sequence.
    package subscript(index: Int) -> Target {
        switch self {
        case .classes(let classes): .class(classes[index])
        case .values(let values): .values(values[row: index])
        case .probabilities(let probabilities): .probability(probabilities[index])
        }
    }

    /// The targets of some sequences, in the order given.
    package func selecting(_ indices: [Int]) -> Targets {
        switch self {
        case .classes(let classes): return .classes(indices.map { classes[$0] })
        case .values(let values):
            let rows = indices.flatMap { values[row: $0] }
            return .values(Matrix(rows: indices.count, columns: values.columns, storage: rows))
        case .probabilities(let probabilities): return .probabilities(indices.map { probabilities[$0] })
        }
    }

    /// The class of each sequence, of soft labels the one that they are cut to; nil where they are numbers.
    package var hardClasses: [Int]? {
        switch self {
        case .classes(let classes): classes
        case .probabilities: (0..<count).map { self[$0].hardClass! }
        case .values: nil
        }
    }

    /// Whether they are probabilities, which what needs classes cuts at 0.5.
    package var areSoft: Bool { if case .probabilities = self { true } else { false } }
}

/// The target of one sequence.
package enum Target: Sendable, Equatable {
    /// The index of its class.
    case `class`(Int)
    /// O numbers.
    case values(ArraySlice<Float>)
    /// The probability of the second of two classes.
    case probability(Float)

    /// The probability from which on a soft label counts as the second class.
    package static let cut: Float = 0.5

    /// The index of the class, of a soft label the one that it is cut to; nil where it is numbers.
    package var hardClass: Int? {
        switch self {
        case .class(let index): index
        case .probability(let probability): probability >= Self.cut ? 1 : 0
        case .values: nil
        }
    }
}
