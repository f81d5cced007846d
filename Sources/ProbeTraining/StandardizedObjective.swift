import Storage
import Tensors
import Probes
import Activations

/// The loss over training sequences as a function of parameters on scaled tokens, and the penalty: what the
/// optimisers see.
struct StandardizedObjective {
    let training: Objective
    let standardization: Standardization
    let tensors: [ParameterTensor]
    /// Of each parameter w', what its square is multiplied with in the penalty, twice: λ for weights, and 0 for
    /// biases and positions.
    private(set) var penalties: [Double]
    /// The parts of the flat vector that are trained: others have no gradient and no penalty; nil for all.
    private(set) var trained: [Range<Int>]?
    private let l2: Double
    // For linear probes on one token a sequence; their loss is convex.
    private let linear: LinearObjective?

    /// - Parameters:
    ///   - l2: λ.
    ///   - penalizesScaled: whether the penalty is λ/2·Σw'², of weights on scaled tokens, or λ/2·Σw², of those on the
    ///     tokens as they are.
    ///   - isLinear: whether to take what a linear probe makes possible.
    init(
        training: Objective, standardization: Standardization, tensors: [ParameterTensor], task: ProbeTask,
        l2: Float, penalizesScaled: Bool = true, isLinear: Bool
    ) {
        self.training = training
        self.standardization = standardization
        self.tensors = tensors
        self.l2 = Double(l2)
        penalties = tensors.flatMap { tensor -> [Double] in
            (0..<tensor.count).map { i in
                guard tensor.isPenalised else { return 0 }
                guard !penalizesScaled, case .tokenWeights = tensor.role else { return Double(l2) }
                let scale = standardization.scale[i % standardization.scale.count]
                return Double(l2) * scale * scale
            }
        }
        linear = isLinear ? training.linear(task, standardization) : nil
    }

    /// The same where only some parameters are trained.
    func training(_ trained: [Range<Int>]) -> StandardizedObjective {
        var objective = self
        objective.trained = trained
        objective.clearUntrained(&objective.penalties)
        return objective
    }

    private func clearUntrained<Number: BinaryFloatingPoint>(_ numbers: inout [Number]) {
        guard let trained else { return }
        for i in numbers.indices where !trained.contains(where: { $0.contains(i) }) { numbers[i] = 0 }
    }

    /// Parameters on the tokens as they are.
    func folded<Number: BinaryFloatingPoint & Sendable>(_ parameters: [Number]) -> [Float] {
        standardization.fold(parameters, tensors)
    }

    /// The mean loss over some sequences, without the penalty; `gradient` becomes its gradient.
    ///
    /// - Parameters:
    ///   - tokens: the tokens to use of a sequence, given its index.
    ///   - readAhead: reads the sequences of this call and of those to come; nil for those of this call alone.
    ///   - folded: memory for as many numbers as there are parameters.
    func gradient(
        _ parameters: [Float], over indices: [Int], tokens: (@Sendable (Int) -> TokenSequence)?,
        readAhead: ReadAhead?, folded: inout [Float], into gradient: inout [Float]
    ) throws -> Double {
        standardization.fold(parameters, tensors, into: &folded, threads: training.threads)
        let loss = try training.gradient(
            folded, over: indices, tokens: tokens, readAhead: readAhead, into: &gradient)
        standardization.pullBack(&gradient, tensors, threads: training.threads)
        clearUntrained(&gradient)
        return loss
    }

    // The mean loss over all sequences, without the penalty, and its gradient.
    private func gradient(_ parameters: [Double]) throws -> (loss: Double, gradient: [Double]) {
        let (loss, gradient) = try training.gradient(folded(parameters))
        var own = gradient.map(Double.init)
        standardization.pullBack(&own, tensors)
        clearUntrained(&own)
        return (loss, own)
    }

    /// λ/2·Σw² over the weights.
    func penalty<Number: BinaryFloatingPoint>(_ parameters: [Number]) -> Double {
        zip(parameters, penalties).reduce(0) { $0 + $1.1 * Double($1.0) * Double($1.0) } / 2
    }

    /// Loss plus penalty over all sequences, and the gradient.
    func penalizedGradient(_ parameters: [Double]) throws -> (Double, [Double]) {
        var (loss, gradient) = try linear.map { try $0.gradient(parameters) } ?? gradient(parameters)
        for i in gradient.indices { gradient[i] += penalties[i] * parameters[i] }
        return (loss + penalty(parameters), gradient)
    }

    /// Of each parameter, how much the loss with its penalty curves along it at least, biases taken to curve by λ;
    /// nil where nothing is known.
    var curvatures: [Double]? {
        linear != nil && l2 > 0 ? penalties.map { $0 > 0 ? $0 : l2 } : nil
    }
}
