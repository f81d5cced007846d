// A truncated polynomial of the mean x̄ of the tokens (Oldfield et al., 2025, "Beyond Linear Probes", arXiv 2509.26238), of
// order K with R terms an order and O outputs:
//
//     y[o] = w_o·x̄ + b_o + Σ_{k=2..K} Σ_r λ[k,o,r]·s[k,r]^k            s[k,r] = u_kr·x̄ + c_kr
//
// Orders are trained one after the other while lower ones stay, so that all orders up to any k are a probe of their own.
// The paper has no c: it is 0 on standardised states, on which a probe is trained, and stands for their mean on others.
// With g = ∂loss/∂y: ∂λ[k,o,r] = g[o]·s^k, and ∂s[k,r] = k·s^(k-1)·Σ_o g[o]·λ[k,o,r], of which ∂u_kr = ∂s·x̄.
private import Glibc
import Tensors

extension ProbeKind {
    /// A polynomial of the mean token, of which a score may compute the first orders alone.
    public static let tpc = ProbeKind(
        "tpc", [.order: 3, .rank: 64, .exit: 0],
        architecture: { configuration, width, outputs in
            PolynomialArchitecture(
                width: width, outputs: outputs, order: Int(configuration[.order]),
                rank: Int(configuration[.rank]), exit: configuration[.exit])
        }
    ) { kind in
        kind.pooling = .mean
        kind.optimizer = .lbfgs
    }
}

/// A truncated polynomial of the mean of the unmasked tokens.
struct PolynomialArchitecture: PoolingArchitecture {
    let width: Int
    let outputs: Int
    /// K.
    let order: Int
    /// R.
    let rank: Int
    /// The probability of either of two classes from which on no higher order is computed; 0 for all orders.
    let exit: Float

    var pooling: Pooling { .mean }

    /// `v.weight` (O,D) and `v.bias` (O), then of every order k from 2 on `u.k.weight` (R,D), `u.k.bias` (R) and
    /// `lambda.k` (O,R).
    var tensors: [ParameterTensor] {
        .values(rows: outputs, width: width)
            + (0..<max(0, order - 1)).map { $0 + 2 }.flatMap { k in
                [
                    ParameterTensor(
                        "u.\(k).weight", shape: [rank, width], role: .tokenWeights(bias: "u.\(k).bias")),
                    ParameterTensor("u.\(k).bias", shape: [rank], role: .bias),
                    ParameterTensor(
                        "lambda.\(k)", shape: [outputs, rank], role: .outputWeights, scalesOutputs: true),
                ]
            }
    }

    /// The mean is one row.
    var rowsPerToken: Int { 1 }

    /// An order a stage: w and b, then u and λ of the others.
    var stages: [[Range<Int>]] {
        let linear = [0..<outputs * (width + 1)]
        return [linear] + (2..<max(2, order + 1)).map { k in [rows(k), factors(k)] }
    }

    /// Zeros for the first order and λ, so that every order starts from the function of those below it; u from the
    /// uniform distribution over ±1/√D.
    func initialParameters(_ generator: inout SeededGenerator) -> [Float] {
        var parameters = [Float](repeating: 0, count: tensors.parameterCount)
        let bound = 1 / Float(width).squareRoot()
        for k in 2..<max(2, order + 1) {
            for i in rows(k) { parameters[i] = bound * (2 * generator.uniform() - 1) }
        }
        return parameters
    }

    func evaluator(_ parameters: [Float]) -> any ProbeEvaluator {
        precondition(parameters.count == tensors.parameterCount, "parameters of another architecture")
        return PolynomialEvaluator(polynomial: Polynomial(shape: self, parameters: parameters))
    }

    func prefixRule(_ parameters: [Float]) -> (any PrefixRule)? {
        PolynomialRule(polynomial: Polynomial(shape: self, parameters: parameters))
    }

    // Where u, c and λ of an order stand.
    func rows(_ k: Int) -> Range<Int> {
        let start = outputs * (width + 1) + (k - 2) * rank * (width + 1 + outputs)
        return start..<start + rank * width
    }
    func biases(_ k: Int) -> Range<Int> { rows(k).upperBound..<rows(k).upperBound + rank }
    func factors(_ k: Int) -> Range<Int> { biases(k).upperBound..<biases(k).upperBound + rank * outputs }
}

/// The polynomial as a function of a mean token.
struct Polynomial: Sendable {
    let shape: PolynomialArchitecture
    let parameters: [Float]

    // u_kr·x̄ + c_kr
    func term(_ k: Int, _ r: Int, _ mean: ArraySlice<Float>) -> Double {
        let row = shape.rows(k).lowerBound + r * shape.width
        return dot(parameters[row..<row + shape.width], mean)
            + Double(parameters[shape.biases(k).lowerBound + r])
    }

    func factor(_ k: Int, _ o: Int, _ r: Int) -> Float {
        parameters[shape.factors(k).lowerBound + o * shape.rank + r]
    }

    /// Writes the outputs of a mean token, O.
    func outputs(_ mean: ArraySlice<Float>, into y: inout [Double]) {
        let (width, outputs) = (shape.width, shape.outputs)
        y.removeAll(keepingCapacity: true)
        for o in 0..<outputs {
            y.append(
                dot(parameters[o * width..<(o + 1) * width], mean) + Double(parameters[outputs * width + o]))
        }
        // Of two classes, whose output is a logit.
        let sure =
            shape.exit > 0 && outputs == 1 ? log(Double(shape.exit) / (1 - Double(shape.exit))) : .infinity
        for k in 2..<max(2, shape.order + 1) {
            if abs(y[0]) >= sure { return }
            for r in 0..<shape.rank {
                let power = pow(term(k, r, mean), Double(k))
                for o in 0..<outputs { y[o] += Double(factor(k, o, r)) * power }
            }
        }
    }
}

private struct PolynomialEvaluator: ProbeEvaluator {
    let polynomial: Polynomial

    var tokenWeights: ArraySlice<Float> { [] }
    var meetsAllTokens: Bool { true }

    func forward(
        _ sequence: TokenSequence, row: Int, _ work: inout Workspace
    ) throws(NonFiniteProjection) {
        Pooling.mean.pool(sequence, &work)
        guard allFinite(work.pooled[...]) else { throw NonFiniteProjection() }
        polynomial.outputs(work.pooled[...], into: &work.sums)
        work.outputs.reset(count: polynomial.shape.outputs)
        for o in work.outputs.indices { work.outputs[o] = Float(work.sums[o]) }
        work.entropies.reset(count: 0)
        guard allFinite(work.outputs[...]) else { throw NonFiniteProjection() }
    }

    func backward(
        _ sequence: TokenSequence, outputGradient: [Float], _ work: inout Workspace,
        gradient: inout [Float]
    ) {
        let (shape, width) = (polynomial.shape, polynomial.shape.width)
        for (o, g) in outputGradient.enumerated() {
            for d in 0..<width { gradient[o * width + d] += g * work.pooled[d] }
            gradient[shape.outputs * width + o] += g
        }
        for k in 2..<max(2, shape.order + 1) {
            work.values.reset(to: polynomial.parameters[shape.biases(k)])
            BLAS.gemv(
                .no, rows: shape.rank, columns: width, a: polynomial.parameters[shape.rows(k)],
                x: work.pooled[...], beta: 1, y: &work.values)
            work.valueGradient.reset(count: shape.rank)
            for r in 0..<shape.rank {
                let below = Float(pow(Double(work.values[r]), Double(k - 1)))
                for (o, g) in outputGradient.enumerated() {
                    gradient[shape.factors(k).lowerBound + o * shape.rank + r] += g * below * work.values[r]
                    work.valueGradient[r] += Float(k) * below * g * polynomial.factor(k, o, r)
                }
                gradient[shape.biases(k).lowerBound + r] += work.valueGradient[r]
            }
            BLAS.ger(
                x: work.valueGradient[...], y: work.pooled[...], a: &gradient, at: shape.rows(k).lowerBound)
        }
    }
}

extension Probe {
    /// The same polynomial up to an order, or one that computes no higher order where it is sure; other kinds as they are.
    ///
    /// - Parameters:
    ///   - order: the highest order, at least 1; nil for all.
    ///   - exit: the probability of either of two classes from which on no higher order is computed, 0.5 to below 1; nil
    ///     for what the probe has.
    package func limited(order: Int?, exit: Float?) -> Probe {
        guard configuration.kind == .tpc else { return self }
        var limited = configuration
        if let order { limited[.order] = min(limited[.order], Float(order)) }
        if let exit { limited[.exit] = exit }
        let count = limited.architecture(width: width, outputs: task.outputs).tensors.parameterCount
        return Probe(
            limited, width: width, task: task, parameters: Array(parameters[..<count]),
            threshold: threshold, calibration: calibration, training: training)
    }
}
