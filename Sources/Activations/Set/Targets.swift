public import Tensors

/// What the sequences of a set are labelled with.
public enum Targets: Sendable, Equatable {
    /// A whole number a sequence, N: where the set has names of classes the index of one, else the value that
    /// names the class.
    case classes([Int])
    /// Numbers, N×O: 0 or 1 a class, or regression targets.
    case values(Matrix)

    /// Different classes that a set may have.
    static let mostClasses = 65536

    /// N.
    public var count: Int {
        switch self {
        case .classes(let classes): classes.count
        case .values(let values): values.rows
        }
    }

    /// The target of one sequence.
    public subscript(index: Int) -> Target {
        switch self {
        case .classes(let classes): .class(classes[index])
        case .values(let values): .values(values[row: index])
        }
    }

    /// The targets of some sequences, in the order given.
    public func selecting(_ indices: [Int]) -> Targets {
        switch self {
        case .classes(let classes): return .classes(indices.map { classes[$0] })
        case .values(let values):
            let rows = indices.flatMap { values[row: $0] }
            return .values(Matrix(rows: indices.count, columns: values.columns, storage: rows))
        }
    }
}

/// The target of one sequence.
public enum Target: Sendable {
    /// The index of its class.
    case `class`(Int)
    /// O numbers.
    case values(ArraySlice<Float>)
}
