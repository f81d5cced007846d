private import Synchronization
public import Activations
package import ProbeMetrics

/// A kind of probe: its name, the hyperparameters it has, what is particular about it, and its architecture.
///
/// Everything that differs between kinds is said here; what trains, saves, selects, scores and shows probes asks for it.
/// A kind of one's own pools scores of tokens in its way (`ScorePooling`), and is made known to probe files by `register`.
public struct ProbeKind: RawRepresentable, Hashable, Sendable {
    /// Makes the architecture for a configuration of the kind, the width of hidden states and the number of outputs.
    package typealias Architecture =
        @Sendable (_ configuration: ProbeConfiguration, _ width: Int, _ outputs: Int) -> any ProbeArchitecture

    /// The name in probe files and on the command line.
    public let rawValue: String
    /// The hyperparameters that it has and their usual values, in the order in which names of probes tell them.
    public let hyperparameters: KeyValuePairs<Hyperparameter, Float>
    let architecture: Architecture

    /// Whether its heads have an attention over all tokens, which `forward` leaves in the workspace.
    package var attends = false
    /// Whether how logits become attention can be chosen.
    package var hasAttentionFunction = false
    /// Whether outputs are sums over heads, so that the average of several probes is one with all their heads.
    package var addsHeads = false
    /// Whether the loss is convex in its parameters, so that every start leads to the same optimum.
    package var isConvex = false
    /// How tokens become the one vector that a linear probe, or a polynomial, looks at; nil for kinds that look at tokens.
    package var pooling: Pooling?
    /// How tokens are pooled for the linear probe that is trained in its place; nil if it is trained itself.
    package var trainedAs: Pooling?
    /// The loss that it is trained with, of the scores of all tokens and not of the outputs, n scores an output; nil for
    /// the task's. For kinds of one head on pooled scores.
    package var tokenLoss: (@Sendable (ProbeConfiguration) -> Loss)?
    /// The tasks that it can do; one that is fitted in one step is for two classes at most.
    public var tasks = Set(ProbeTask.Kind.allCases)
    /// The fit in one step, without an optimiser; nil for kinds that an optimiser trains.
    package var closedForm: ClosedForm?
    /// The optimiser that suits it where that is not AdamW, nor L-BFGS because the loss is convex.
    public var optimizer: Optimizer?
    /// The highest learning rate of AdamW that suits it.
    public var learningRate = usualLearningRate
    /// What single tokens have in a probe of this kind; all but `none` take the values `v.weight` and `v.bias`.
    package var tokenQuantity = TokenQuantity.none
    /// Its place in the default grid of a selection; nil for none.
    package var grid: Grid?

    /// The learning rate of kinds without one of their own.
    package static let usualLearningRate: Float = 3e-3

    /// A kind with an architecture.
    ///
    /// - Parameter traits: says what is particular about it.
    package init(
        _ name: String, _ hyperparameters: KeyValuePairs<Hyperparameter, Float> = [:],
        architecture: @escaping Architecture, traits: (inout ProbeKind) -> Void = { _ in }
    ) {
        rawValue = name
        self.hyperparameters = hyperparameters
        self.architecture = architecture
        traits(&self)
    }

    /// A linear probe on pooled tokens.
    package init(_ name: String, pooling: Pooling, traits: (inout ProbeKind) -> Void = { _ in }) {
        self.init(
            name,
            architecture: { PooledArchitecture(width: $1, outputs: $2, pooling: pooling) })
        self.pooling = pooling
        tokenQuantity = .score
        traits(&self)
    }

    /// A probe on pooled scores of tokens. It learns at 0.01: a maximum moves few tokens a step, and at the usual rate
    /// 30 epochs are too few.
    public init(
        _ name: String, _ hyperparameters: KeyValuePairs<Hyperparameter, Float> = [:],
        scores pooling: @escaping @Sendable (ProbeConfiguration) -> any ScorePooling,
        traits: (inout ProbeKind) -> Void = { _ in }
    ) {
        self.init(
            name, hyperparameters,
            architecture: { configuration, width, outputs in
                LayeredArchitecture.behind(configuration.units, width: width) { width in
                    TokenScoreArchitecture(
                        width: width, outputs: outputs, heads: configuration.heads,
                        pooling: pooling(configuration))
                }
            })
        learningRate = 1e-2
        tokenQuantity = .score
        traits(&self)
    }

    /// A kind by its name; nil where none is known by it.
    public init?(rawValue: String) {
        guard let kind = Self.allCases.first(where: { $0.rawValue == rawValue }) else { return nil }
        self = kind
    }

    /// Kinds are the same if their names are.
    public static func == (a: ProbeKind, b: ProbeKind) -> Bool { a.rawValue == b.rawValue }

    /// Hashes the name.
    public func hash(into hasher: inout Hasher) { hasher.combine(rawValue) }

    /// Whether it has a hyperparameter.
    package func has(_ hyperparameter: Hyperparameter) -> Bool {
        hyperparameters.contains { $0.key == hyperparameter }
    }

    /// Whether it has several heads to choose.
    package var hasHeads: Bool { has(.heads) }

    /// Whether it is fitted in one step, without an optimiser; for two classes only.
    package var isClosedForm: Bool { closedForm != nil }

    /// The optimiser that suits it where a task does not ask for another.
    package var usualOptimizer: Optimizer { optimizer ?? (isConvex ? .lbfgs : .adamw) }

    /// Whether the sizes of classes make a difference to what is trained.
    package var countsClassSizes: Bool { closedForm?.countsClassSizes ?? true }

    /// Whether all it sees of a sequence is one token.
    package var readsOneToken: Bool { pooling == .last }

    /// Whether it can do a task.
    package func fits(_ task: ProbeTask) -> Bool {
        tasks.contains(task.kind) && (!isClosedForm || task.isBinary)
    }
}

extension ProbeKind: CaseIterable, CustomStringConvertible {
    private static let builtIn: [ProbeKind] = [
        .attention, .mean, .last, .absmax, .max, .topk, .softmax, .rolling, .ema, .mlpAttention, .multimax,
        .rollingAttention, .massMean, .lda, .swim, .scTopK, .tpc,
    ]
    private static let registered = Mutex<[ProbeKind]>([])

    /// All kinds that are known by their names: those of this package, and then those that were registered. The
    /// ensemble, which is made of fitted probes and is not fitted itself, is none of them.
    public static var allCases: [ProbeKind] { builtIn + registered.withLock(\.self) }

    /// Makes a kind known by its name, so that probe files of it can be read.
    ///
    /// - Precondition: no other kind has that name.
    public static func register(_ kind: ProbeKind) {
        registered.withLock { kinds in
            precondition(!(builtIn + kinds + [.ensemble]).contains(kind), "two kinds named \(kind)")
            kinds.append(kind)
        }
    }

    /// The name.
    public var description: String { rawValue }
}

extension ProbeKind {
    /// A place in the default grid of a selection.
    package struct Grid: Sendable {
        /// Kinds of a lower rank come first, and are preferred among equals.
        package let rank: Int
        /// What is tried for a task; nothing for a task that the kind is no candidate for.
        package let settings: @Sendable (ProbeTask) -> [GridSettings]

        /// A place in the grid.
        package init(rank: Int, settings: @escaping @Sendable (ProbeTask) -> [GridSettings]) {
            self.rank = rank
            self.settings = settings
        }
    }

    /// Values that are tried where a user lists none, in all combinations; where a list is empty, the usual one.
    package struct GridSettings: Sendable {
        /// Numbers of heads.
        package let heads: [Int]
        /// The optimiser; nil for the one that suits.
        package let optimizer: Optimizer?
        /// Penalties.
        package let l2: [Float]
        /// Probabilities of hiding a token.
        package let tokenDropouts: [Float]

        /// Some values.
        package init(
            heads: [Int] = [], _ optimizer: Optimizer? = nil, l2: [Float] = [], tokenDropouts: [Float] = []
        ) {
            self.heads = heads
            self.optimizer = optimizer
            self.l2 = l2
            self.tokenDropouts = tokenDropouts
        }
    }
}
