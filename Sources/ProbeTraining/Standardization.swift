// Training sees each dimension of the hidden states about 0 and on a scale that suits it, without ever touching
// them: weights w' on scaled tokens (x - μ)·s are weights w = w'·s on the tokens as they are, with w·μ taken off
// the bias that goes with them:
//
//     w'·(x - μ)·s + b'  =  w·x + b,    w = w'·s,  b = b' - w·μ
//
// so a probe is trained in w', b' and saved as w, b. With s = 1/σ, σ the standard deviation, dimensions are
// standardised. Rows without a bias (queries) are scaled only: under a softmax over tokens their constant does
// nothing. For the gradient, by the chain rule, ∂w' = (∂w - ∂b·μ)·s and ∂b' = ∂b.
//
// Where dimensions are to be whitened, weights w' are those on (x - μ)·s times a matrix (`Whitening`), and rows go through it
// first.
//
// A dimension that does not vary has s = 0, and so w = 0: it tells nothing, and its bias is another's.
//
// A position is one more dimension: p = p'/σ_t with σ_t the standard deviation of positions. One
// step of an optimiser then moves the logits of a sequence about as far through p as through q,
// whether the sequence has sixty tokens or six thousand.
import Synchronization
import Tensors
import Activations
import Probes

struct Standardization: Sendable {
    /// μ, D values.
    let mean: [Double]
    /// s, D values: 1/σ; 0 for a dimension that does not vary.
    let scale: [Double]
    /// 1/σ_t; 1 where no position differs.
    let positionScale: Double
    /// What turns standardised dimensions into whitened ones; nil where they stay as they are.
    private let whitening: Whitening?

    /// Mean and standard deviation of all unmasked tokens of a set, and of their positions, where the tokens of a
    /// sequence count by its weight. O(T·D), the same bits on any number of threads.
    ///
    /// - Parameters:
    ///   - whitens: whether dimensions are also to be whitened.
    ///   - progress: told how many of so many parts of the tokens were seen, from any thread.
    /// - Throws: `DataError` where a hidden state is NaN or infinite; `CancellationError` where it is interrupted.
    init(
        _ data: ActivationSet, threads: Int, whitens: Bool = false,
        isInterrupted: @Sendable () -> Bool = { false },
        progress: @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) throws {
        let width = data.width
        let lengths = data.indices.map { data[$0].rows.count }
        let blocks = Objective.blocks(
            lengths,
            count: Objective.blockCount(
                products: Double(lengths.reduce(0, +)) * Double(width), parameters: 2 * width,
                sequences: data.count))
        var scratch: [Float] = []
        let first = data[0].withTokens(0..<1, scratch: &scratch) { token in token.indices.map { token[$0] } }
        let readAhead = data.readAhead(Objective.order(Array(data.indices), blocks, threads))
        let done = Atomic(0)
        let parts = try Parallel.map(count: blocks.count, threads: threads, workspace: { [Float]() }) {
            block, scratch in
            if isInterrupted() { throw CancellationError() }
            var moments = Moments(origin: first)
            for index in blocks[block] {
                if let weights = data.weights {
                    var own = Moments(origin: first)
                    own.add(data[index], scratch: &scratch)
                    moments.add(own, times: Double(weights[index]))
                } else {
                    moments.add(data[index], scratch: &scratch)
                }
                readAhead.advance(data.byteCount(index))
            }
            progress(done.add(1, ordering: .relaxed).newValue, blocks.count)
            return moments
        }
        let moments = parts.dropFirst().reduce(into: parts[0]) { $0.add($1) }
        mean = (0..<width).map { moments.mean($0) }
        scale = (0..<width).map { deviation(moments.variance($0), mean: moments.mean($0)) }
            .map { $0 == 0 ? 0 : 1 / $0 }
        positionScale = Self.positionScale(data)
        guard mean.allSatisfy(\.isFinite), scale.allSatisfy(\.isFinite) else { throw data.nonFiniteError() }
        guard whitens else {
            whitening = nil
            return
        }
        let (mean, scale) = (mean, scale)
        whitening = try Whitening(data, isInterrupted: isInterrupted) { Self.apply(mean, scale, to: &$0) }
    }

    private init(mean: [Double], scale: [Double], positionScale: Double) {
        (self.mean, self.scale, self.positionScale) = (mean, scale, positionScale)
        whitening = nil
    }

    /// Dimensions as they are; positions are scaled.
    var ofPositionsAlone: Standardization {
        Standardization(
            mean: mean.map { _ in 0 }, scale: scale.map { _ in 1 }, positionScale: positionScale)
    }

    /// About the mean, on the scale that makes a loss with the penalty λ/2·Σw² curve about alike along every
    /// dimension: s = 1/√(σ² + 4λ), as the curvature of a logistic loss is at most σ²/4 + λ there.
    func balanced(l2: Double) -> Standardization {
        let scale = scale.map { $0 == 0 ? 0 : 1 / (1 / ($0 * $0) + 4 * l2).squareRoot() }
        return Standardization(mean: mean, scale: scale, positionScale: positionScale)
    }

    private static func positionScale(_ data: ActivationSet) -> Double {
        var (count, sum, square) = (0.0, 0.0, 0.0)
        for index in data.indices {
            let (sequence, weight) = (data[index], data.weights.map { Double($0[index]) } ?? 1)
            for j in 0..<sequence.count {
                let t = Double(sequence.position(j))
                (count, sum, square) = (count + weight, sum + weight * t, square + weight * (t * t))
            }
        }
        let variance = square / count - (sum / count) * (sum / count)
        return variance > 0 ? 1 / variance.squareRoot() : 1
    }

    /// Parameters on the tokens as they are, from parameters on scaled tokens. What a bias gives up is that of the
    /// weights as they are rounded.
    func fold<Number: BinaryFloatingPoint & Sendable>(_ parameters: [Number], _ tensors: [ParameterTensor])
        -> [Float]
    {
        var folded: [Float] = []
        fold(parameters, tensors, into: &folded)
        return folded
    }

    /// The same into memory that is there, on several threads.
    func fold<Number: BinaryFloatingPoint & Sendable>(
        _ parameters: [Number], _ tensors: [ParameterTensor], into folded: inout [Float], threads: Int = 1
    ) {
        guard let whitening else { return foldScaled(parameters, tensors, into: &folded, threads: threads) }
        var rows = parameters.map { Float($0) }
        for (range, _) in tokenRows(tensors) { whitening.fold(&rows, in: range) }
        foldScaled(rows, tensors, into: &folded, threads: threads)
    }

    private func foldScaled<Number: BinaryFloatingPoint & Sendable>(
        _ parameters: [Number], _ tensors: [ParameterTensor], into folded: inout [Float], threads: Int
    ) {
        folded.grow(to: parameters.count)
        for (tensor, range) in tensors.placed {
            let scale = tensor.role == .position ? positionScale : 1
            if case .tokenWeights = tensor.role { continue }
            for i in range { folded[i] = Float(Double(parameters[i]) * scale) }
        }
        for (range, biases) in tokenRows(tensors) {
            let shifts = changeRows(of: &folded, in: range, threads: threads) { row, numbers, start in
                var shift = 0.0
                for d in mean.indices {
                    let weight = Float(Double(parameters[row + d]) * scale[d])
                    numbers[start + d] = weight
                    shift += Double(weight) * mean[d]
                }
                return shift
            }
            guard let biases else { continue }
            for (bias, shift) in zip(biases, shifts.joined()) {
                folded[bias] = Float(Double(parameters[bias]) - shift)
            }
        }
    }

    /// Parameters on scaled tokens, from parameters on the tokens as they are: the opposite of `fold`, but for the
    /// weights of dimensions that do not vary.
    ///
    /// - Precondition: dimensions are not whitened.
    func unfold(_ folded: [Float], _ tensors: [ParameterTensor]) -> [Double] {
        precondition(whitening == nil, "whitened dimensions")
        var parameters = folded.map(Double.init)
        for (range, biases) in tokenRows(tensors) {
            let own = biases.map { Array(parameters[$0]) }
            let sums = changeRows(of: &parameters, in: range) { row, numbers, start in
                var sum = own?[(row - range.lowerBound) / mean.count] ?? 0
                for d in mean.indices {
                    sum += numbers[start + d] * mean[d]
                    numbers[start + d] = scale[d] == 0 ? 0 : numbers[start + d] / scale[d]
                }
                return sum
            }
            if let biases { for (bias, sum) in zip(biases, sums.joined()) { parameters[bias] = sum } }
        }
        forEachPosition(tensors) { parameters[$0] /= positionScale }
        return parameters
    }

    /// The gradient by parameters on scaled tokens, from that by folded ones, in its place.
    func pullBack<Number: BinaryFloatingPoint & Sendable>(
        _ gradient: inout [Number], _ tensors: [ParameterTensor], threads: Int = 1
    ) {
        for (range, biases) in tokenRows(tensors) {
            let biases = biases.map { Array(gradient[$0]) }
            _ = changeRows(of: &gradient, in: range, threads: threads) { row, numbers, start in
                let bias = biases.map { Double($0[(row - range.lowerBound) / mean.count]) } ?? 0
                for d in mean.indices {
                    numbers[start + d] = Number((Double(numbers[start + d]) - bias * mean[d]) * scale[d])
                }
            }
        }
        if let whitening {
            for (range, _) in tokenRows(tensors) {
                var rows = gradient[range].map { Float($0) }
                whitening.pullBack(&rows, in: rows.indices)
                for (i, number) in zip(range, rows) { gradient[i] = Number(number) }
            }
        }
        // p = p'/σ_t, and likewise ∂p' = ∂p/σ_t.
        forEachPosition(tensors) { gradient[$0] = Number(Double(gradient[$0]) * positionScale) }
    }

    /// States of one token a sequence as they are seen: (x - μ)·s, whitened where that is wanted.
    func apply(_ states: inout Matrix) {
        var values = states.mutableSpan
        Self.apply(mean, scale, to: &values)
        whitening?.apply(&states)
    }

    // Rows of D numbers x become (x - μ)·s.
    private static func apply(_ mean: [Double], _ scale: [Double], to values: inout MutableSpan<Float>) {
        for start in stride(from: 0, to: values.count, by: mean.count) {
            for d in mean.indices {
                values[start + d] = Float((Double(values[start + d]) - mean[d]) * scale[d])
            }
        }
    }

    private func forEachPosition(_ tensors: [ParameterTensor], _ body: (Int) -> Void) {
        for (tensor, range) in tensors.placed where tensor.role == .position { range.forEach(body) }
    }

    // Where rows that multiply tokens stand in the flat vector, and their biases.
    private func tokenRows(_ tensors: [ParameterTensor]) -> [(rows: Range<Int>, biases: Range<Int>?)] {
        tensors.placed.compactMap { tensor, range in
            guard case .tokenWeights(let bias) = tensor.role else { return nil }
            return (range, bias.flatMap { tensors.range(of: $0) })
        }
    }

    // Changes rows of D numbers; the results of `body`, which is given where a row starts in the array, the span that it
    // is in, and where it starts there.
    private func changeRows<Number: Sendable, R>(
        of array: inout [Number], in range: Range<Int>, threads: Int = 1,
        _ body: @Sendable (Int, inout MutableSpan<Number>, Int) -> R
    ) -> [[R]] {
        let width = mean.count
        let starts = Parallel.starts(of: range, size: width * max(1, (1 << 15) / width))
        return Parallel.changeParts(of: &array, at: starts, threads: threads) { part, numbers in
            stride(from: 0, to: numbers.count, by: width).map { body(starts[part] + $0, &numbers, $0) }
        }
    }
}
