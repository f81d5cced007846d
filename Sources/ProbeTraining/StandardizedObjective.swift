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
    /// Which parameters are trained: others have no gradient and no penalty; nil for all.
    private(set) var isTrained: [Bool]?
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
        let isTrained = penalties.indices.map { i in trained.contains { $0.contains(i) } }
        for i in penalties.indices where !isTrained[i] { objective.penalties[i] = 0 }
        objective.isTrained = isTrained
        return objective
    }

    /// Parameters on the tokens as they are.
    func folded<Number: BinaryFloatingPoint>(_ parameters: [Number]) -> [Float] {
        standardization.fold(parameters, tensors)
    }

    /// The mean loss over some sequences, without the penalty, and its gradient.
    func gradient<Number: BinaryFloatingPoint>(
        _ parameters: [Number], over indices: [Int]? = nil, tokens: (@Sendable (Int) -> TokenSequence)? = nil
    ) throws -> (loss: Double, gradient: [Double]) {
        let (loss, gradient) = try training.gradient(folded(parameters), over: indices, tokens: tokens)
        var own = standardization.pullBack(gradient, tensors)
        if let isTrained { for i in own.indices where !isTrained[i] { own[i] = 0 } }
        return (loss, own)
    }

    /// λ/2·Σw² over the weights.
    func penalty<Number: BinaryFloatingPoint>(_ parameters: [Number]) -> Double {
        zip(parameters, penalties).reduce(0) { $0 + $1.1 * Double($1.0) * Double($1.0) } / 2
    }

    /// Loss plus penalty over all sequences, and the gradient.
    func penalizedGradient(_ parameters: [Double]) throws -> (Double, [Double]) {
        var (loss, gradient) = try linear?.gradient(parameters) ?? gradient(parameters)
        for i in gradient.indices { gradient[i] += penalties[i] * parameters[i] }
        return (loss + penalty(parameters), gradient)
    }

    /// Of each parameter, how much the loss with its penalty curves along it at least, biases taken to curve by λ;
    /// nil where nothing is known.
    var curvatures: [Double]? {
        linear != nil && l2 > 0 ? penalties.map { $0 > 0 ? $0 : l2 } : nil
    }
}
