// The states of controls: in place of hidden states what a shortcut would see, with the labels, groups and weights of the
// sequences. Where states are of a vocabulary, that is the training data's, which come first.
private import Glibc
import Tensors
import Activations
import Probes

/// Why a control has no states.
struct ControlFault: Error, CustomStringConvertible {
    let description: String
}

extension ActivationSet {
    /// Token ids that a bag has at most: the most frequent.
    private static let mostTokens = 8192
    /// Floats that the vectors of all tokens take at most.
    private static let mostValues = 1 << 28

    /// The number of unmasked tokens and its logarithm, N×2.
    func lengthStates() throws -> ActivationSet {
        try states(
            indices.flatMap { index -> [Float] in
                let count = self[index].count
                return [Float(count), Float(log(Double(count)))]
            }, width: 2)
    }

    /// Of each sequence the fraction of its tokens that have an id, a column an id of the training data.
    static func tokenBags(_ sets: [ActivationSet]) throws -> [ActivationSet] {
        let ids = try sets.map { try $0.allTokenIDs() }
        var counts: [Int: Int] = [:]
        for id in ids[0].joined() { counts[id, default: 0] += 1 }
        let frequent = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(mostTokens)
        let columns = Dictionary(uniqueKeysWithValues: frequent.enumerated().map { ($1.key, $0) })
        return try zip(sets, ids).map { set, ids in
            var values = [Float](repeating: 0, count: set.count * columns.count)
            for (row, ids) in ids.enumerated() {
                for id in ids {
                    if let column = columns[id] {
                        values[row * columns.count + column] += 1 / Float(ids.count)
                    }
                }
            }
            return try set.states(values, width: columns.count)
        }
    }

    /// Of each token a random vector that all tokens of its id have, as wide as hidden states are.
    static func tokenVectors(_ sets: [ActivationSet], seed: UInt64) throws -> [ActivationSet] {
        let ids = try sets.map { try $0.allTokenIDs() }
        let most = ids.map { $0.reduce(0) { $0 + $1.count } }.max()!
        let width = max(1, min(sets[0].width, mostValues / most))
        var vectors: [Int: [Float]] = [:]
        func vector(_ id: Int) -> [Float] {
            if let vector = vectors[id] { return vector }
            var generator = SeededGenerator(
                seed: seed, stream: RandomStream.tokenVectors &+ UInt64(bitPattern: Int64(id)))
            let vector = (0..<width).map { _ in generator.normal() }
            vectors[id] = vector
            return vector
        }
        return try zip(sets, ids).map { set, ids in
            var (values, offsets): ([Float], [Int]) = ([], [0])
            for ids in ids {
                for id in ids { values += vector(id) }
                offsets.append(offsets[offsets.count - 1] + ids.count)
            }
            return try set.states(values, width: width, offsets: offsets)
        }
    }

    /// A column as states: one column a value of the training data, or the number where the values are numbers and more
    /// than 20; of a value that is no number then the mean of those.
    static func columnStates(_ sets: [ActivationSet], _ columns: [[String]]) throws -> [ActivationSet] {
        let known = Set(columns[0]).sorted()
        let numbers = known.compactMap(Float.init).filter(\.isFinite)
        guard numbers.count == known.count, known.count > 20 else {
            let places = Dictionary(uniqueKeysWithValues: known.enumerated().map { ($1, $0) })
            for (set, names) in zip(sets, columns) where !names.contains(where: { places[$0] != nil }) {
                throw ControlFault(
                    description:
                        "expected values of the training data in \(set.files[0].path), found none of them")
            }
            return try zip(sets, columns).map { set, names in
                var values = [Float](repeating: 0, count: names.count * known.count)
                for (row, name) in names.enumerated() {
                    if let place = places[name] { values[row * known.count + place] = 1 }
                }
                return try set.states(values, width: known.count)
            }
        }
        let middle = numbers.reduce(0, +) / Float(numbers.count)
        return try zip(sets, columns).map { set, names in
            try set.states(
                names.map { Float($0).flatMap { $0.isFinite ? $0 : nil } ?? middle }, width: 1)
        }
    }

    /// Of each set the mean states along random directions, a set of one dimension a direction. Dimensions count alike:
    /// they are divided by their standard deviation in the training data.
    static func projections(
        _ sets: [ActivationSet], count: Int, seed: UInt64, threads: Int
    ) throws -> [[ActivationSet]] {
        let states = try sets.map { try $0.pooledStates(.mean, threads: threads) }
        let scales = (0..<states[0].columns).map { d -> Double in
            let values = (0..<states[0].rows).map { Double(states[0][$0, d]) }
            let mean = values.reduce(0, +) / Double(values.count)
            let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
            return variance > 0 ? 1 / variance.squareRoot() : 0
        }
        var generator = SeededGenerator(seed: seed, stream: RandomStream.directions)
        let directions = (0..<count).map { _ in scales.map { $0 * Double(generator.normal()) } }
        return try zip(sets, states).map { set, states in
            try directions.map { direction in
                let values = (0..<states.rows).map { row -> Float in
                    var sum = 0.0
                    for (d, weight) in direction.enumerated() { sum += weight * Double(states[row, d]) }
                    return Float(sum)
                }
                return try set.states(values, width: 1)
            }
        }
    }

    /// What a part of an ensemble sees of the states: those of its layer where parts read layers of their own, else all.
    func states(ofPart part: Int, of ensemble: ProbeConfiguration) -> ActivationSet {
        guard !ensemble.partLayers.isEmpty else { return self }
        let (width, layer) = (width / ensemble.layerCount, ensemble.partLayers[part])
        return taking(columns: [layer * width..<(layer + 1) * width])
    }

    /// The same sequences with the labels of others: of another group, whole groups where there are groups, so that what
    /// goes together still does.
    func shufflingLabels(seed: UInt64) -> ActivationSet {
        let members = Dictionary(grouping: indices) { groups?[$0] ?? $0 }.sorted { $0.key < $1.key }.map(
            \.value)
        var generator = SeededGenerator(seed: seed, stream: RandomStream.shuffledLabels)
        let others = members.shuffled(using: &generator)
        var sources = Array(indices)
        for (own, other) in zip(members, others) {
            for (place, index) in own.enumerated() { sources[index] = other[place % other.count] }
        }
        return ActivationSet(
            self, selecting: Array(indices), targets: targets?.selecting(sources), classes: classes,
            groups: groups)
    }

    private func allTokenIDs() throws -> [[Int]] {
        let ids = try indices.map { index in
            guard let ids = tokenIDs(index) else {
                throw ControlFault(
                    description: "expected token_ids in \(files[locations[index].file].path), found none")
            }
            return ids
        }
        try checkNothingLost(indices)
        return ids
    }

    private func states(_ values: [Float], width: Int, offsets: [Int]? = nil) throws -> ActivationSet {
        let batch = try RaggedBatch(
            tokens: TokenMatrix(values, columns: width), offsets: offsets ?? Array(0...count))
        let file = ActivationFile(
            batch, targets: targets, classes: classes, groups: groups, weights: weights, name: files[0].path)
        return try ActivationSet([file])
    }
}
