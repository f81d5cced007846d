private import Tensors

/// The parts of a cross-validation: every sequence is in one fold, is scored by a probe trained on the
/// others, and has all of its group with it.
public struct Folds: Sendable, Equatable {
    /// k, the number of folds.
    public let count: Int
    /// The fold of each sequence, from 0 to k-1.
    public let assignment: [Int]

    /// The sequences outside a fold, in order: what a probe is trained on.
    public func training(_ fold: Int) -> [Int] { assignment.indices.filter { assignment[$0] != fold } }

    /// The sequences of a fold, in order.
    public func heldOut(_ fold: Int) -> [Int] { assignment.indices.filter { assignment[$0] == fold } }
}

extension ActivationSet {
    /// Folds stratified by class, groups whole (scikit-learn's `StratifiedGroupKFold`, with the larger
    /// groups first and equal ones in an order drawn from the seed). Each group goes to the fold that
    /// has the smallest fraction of its classes so far, of several labels a sequence of its labels.
    ///
    /// - Precondition: `count` is at least 2.
    /// - Throws: `DataError` where a class has fewer sequences or groups than there are folds, so that
    ///   some fold would have none of it.
    public func folds(_ count: Int, seed: UInt64) throws(DataError) -> Folds {
        guard let folds = try folds(count, seed: seed, suits: { _ in true }) else {
            throw DataError(
                .singleClass, files[0].path, "tensor groups",
                expected: "groups that can be split into \(count) folds with every class in each",
                found: "none in \(Self.attempts) attempts\(Self.fewerFolds)")
        }
        return folds
    }

    /// The same, of which every fold suits; nil where no attempt has found any.
    ///
    /// - Parameter suits: of the sequences of a fold.
    package func folds(
        _ count: Int, seed: UInt64, suits: ([Int]) -> Bool
    ) throws(DataError) -> Folds? {
        precondition(count > 1, "at least two folds")
        let strata = strata
        try checkClasses(strata, Dictionary(grouping: indices) { groups?[$0] ?? $0 }.values, count)
        // Where groups of several classes leave a fold without one, another order may not.
        for attempt in 0..<Self.attempts {
            let folds = assign(count, strata, seed &+ UInt64(attempt) << 32)
            let isWhole = (0..<count).allSatisfy { fold in
                let own = folds.heldOut(fold)
                return Set(own.map { strata[$0] }).count == Set(strata).count && suits(own)
            }
            if isWhole { return folds }
        }
        return nil
    }

    /// Orders of groups that are tried.
    package static let attempts = 32
    /// What helps where there are too few groups.
    package static let fewerFolds = "; fewer folds (--folds) may do"

    private func assign(_ count: Int, _ strata: [Int], _ seed: UInt64) -> Folds {
        let members = Dictionary(grouping: indices) { groups?[$0] ?? $0 }
        var order = members.keys.sorted()
        var generator = SeededGenerator(seed: seed, stream: RandomStream.folds)
        order.shuffle(using: &generator)
        let ranked = order.enumerated().sorted { a, b in
            let (first, second) = (members[a.element]!.count, members[b.element]!.count)
            return first != second ? first > second : a.offset < b.offset
        }
        let marks = labelMarks ?? strata.map { [$0] }
        let sizes = marks.reduce(into: [Int: Double]()) { sizes, own in
            for mark in own { sizes[mark, default: 0] += 1 }
        }
        var filled = Array(repeating: [Int: Double](), count: count)
        var totals = [Double](repeating: 0, count: count)
        var assignment = [Int](repeating: 0, count: self.count)
        for (_, group) in ranked {
            let own = members[group]!.reduce(into: [Int: Double]()) { own, index in
                for mark in marks[index] { own[mark, default: 0] += 1 }
            }
            // Summed from the smallest on, so that neither the order of labels nor that of a hash table matters.
            let load = filled.map { fold in
                own.map { $0.value * (fold[$0.key] ?? 0) / (sizes[$0.key]! * sizes[$0.key]!) }.sorted()
                    .reduce(0, +)
            }
            // Of equally empty folds, the smallest.
            let fold = filled.indices.min { (load[$0], totals[$0], $0) < (load[$1], totals[$1], $1) }!
            for (mark, size) in own {
                filled[fold][mark, default: 0] += size
                totals[fold] += size
            }
            for index in members[group]! { assignment[index] = fold }
        }
        return Folds(count: count, assignment: assignment)
    }

    // Of each sequence its labels, and one number that all have; nil where it is not labelled with several of them.
    private var labelMarks: [[Int]]? {
        guard classes != nil, case .values(let values) = targets else { return nil }
        return indices.map { row in [-1] + (0..<values.columns).filter { values[row, $0] >= 0.5 } }
    }

    private func checkClasses(
        _ strata: [Int], _ groups: some Collection<[Int]>, _ folds: Int
    ) throws(DataError) {
        let classNames = { (c: Int) in self.classes.map { $0[c] } ?? String(c) }
        var sizes: [Int: (sequences: Int, groups: Int)] = [:]
        for group in groups {
            for (stratum, own) in Dictionary(grouping: group, by: { strata[$0] }) {
                let before = sizes[stratum] ?? (0, 0)
                sizes[stratum] = (before.sequences + own.count, before.groups + 1)
            }
        }
        let isClassified = targets?.hardClasses != nil
        for (stratum, size) in sizes.sorted(by: { $0.key < $1.key }) where size.groups < folds {
            let what = isClassified ? "of class \(classNames(stratum))" : "in all"
            guard size.sequences >= folds else {
                throw labelError(
                    .singleClass, expected: "at least \(folds) sequences \(what), one a fold",
                    found: "\(size.sequences)\(size.sequences > 1 ? Self.fewerFolds : "")")
            }
            throw DataError(
                .singleClass, files[0].path, "tensor groups",
                expected: "at least \(folds) groups with sequences \(what), one a fold",
                found: size.groups == 1
                    ? "one group that holds all \(size.sequences)" : "\(size.groups)\(Self.fewerFolds)")
        }
    }
}
