/// A kind of probe, by its name in probe files and on the command line.
public enum ProbeKind: String, Sendable, CaseIterable {
    /// Learned queries, softmax over tokens, values.
    case attention
    /// A linear probe on the mean of the tokens.
    case mean
    /// A linear probe on the last token.
    case last
    /// A linear probe on the largest magnitude of each dimension.
    case absmax
    /// The largest score of a token.
    case max
    /// The mean of the k largest scores.
    case topk
    /// Scores weighted by a softmax of themselves.
    case softmax
    /// The largest mean score of w neighbours.
    case rolling
    /// The largest exponential moving average of scores.
    case ema
    /// Attention over tokens behind two rectified layers.
    case mlpAttention = "mlp-attention"
    /// Of each head, the largest score, added.
    case multimax
    /// Of each head, the largest attention-weighted mean over w neighbours, added.
    case rollingAttention = "rolling-attention"
    /// The difference of the classes' means.
    case massMean = "mass-mean"
    /// Linear discriminant analysis on the mean of the tokens.
    case lda

    /// Whether it has several heads to choose.
    public var hasHeads: Bool { [.attention, .mlpAttention, .multimax, .rollingAttention].contains(self) }

    /// Whether its heads have an attention over all tokens.
    public var attends: Bool { self == .attention || self == .mlpAttention }

    /// Whether it looks at w neighbours.
    public var hasWindow: Bool { self == .rolling || self == .rollingAttention }

    /// Whether the loss is convex in its parameters, so that every start leads to the same optimum.
    public var isConvex: Bool { [.mean, .last, .absmax, .ema].contains(self) }

    /// Whether it is fitted in one step, without an optimiser; for two classes only.
    public var isClosedForm: Bool { self == .massMean || self == .lda }
}

/// What a user chooses about a probe; with the width and outputs of the data, an architecture.
public struct ProbeConfiguration: Sendable, Equatable {
    /// The kind of probe.
    public var kind: ProbeKind
    /// Heads of an attention, multimax or rolling-attention probe; 1 for the others.
    public var heads: Int
    /// Units of an attention probe's hidden layer; 0 for none, and for the others.
    public var hidden: Int
    /// Units of either layer of an mlp-attention probe.
    public var units: Int
    /// How an attention probe's logits become attention.
    public var attention: AttentionFunction
    /// k of a topk probe.
    public var k: Int
    /// w of a rolling or rolling-attention probe, in tokens.
    public var window: Int
    /// φ of a softmax probe.
    public var temperature: Float
    /// α of an ema probe, above 0 and at most 1.
    public var decay: Float

    /// A kind of probe with the values of its source where nothing is said: 8 heads, k = 5, w = 40 for
    /// rolling and 10 for rolling-attention, φ = 5, α = 0.5, 100 units.
    public init(
        _ kind: ProbeKind, heads: Int? = nil, hidden: Int = 0, attention: AttentionFunction = .softmax,
        units: Int = 100, k: Int = 5, window: Int? = nil, temperature: Float = 5, decay: Float = 0.5
    ) {
        self.kind = kind
        self.heads = heads ?? (kind.hasHeads ? 8 : 1)
        self.hidden = hidden
        self.attention = attention
        self.units = units
        self.k = k
        self.window = window ?? (kind == .rollingAttention ? 10 : 40)
        self.temperature = temperature
        self.decay = decay
    }

    /// An attention probe.
    public static func attention(
        heads: Int = 8, hidden: Int = 0, _ attention: AttentionFunction = .softmax
    ) -> ProbeConfiguration {
        ProbeConfiguration(.attention, heads: heads, hidden: hidden, attention: attention)
    }
    /// A linear probe on the mean of the tokens.
    public static let mean = ProbeConfiguration(.mean)
    /// A linear probe on the last token.
    public static let last = ProbeConfiguration(.last)

    /// For people: "attention, 8 heads".
    public var summary: String {
        var text = kind.rawValue
        if kind.hasHeads { text += heads == 1 ? ", 1 head" : ", \(heads) heads" }
        if hidden > 0 { text += ", hidden layer of \(hidden)" }
        if attention == .tanh { text += ", tanh" }
        return text
    }

    /// The architecture for hidden states of `width` and so many outputs.
    public func architecture(width: Int, outputs: Int) -> any ProbeArchitecture {
        func pooled(_ pooling: Pooling) -> any ProbeArchitecture {
            PooledArchitecture(width: width, outputs: outputs, pooling: pooling)
        }
        func scored(_ pooling: any ScorePooling) -> any ProbeArchitecture {
            TokenScoreArchitecture(width: width, outputs: outputs, heads: heads, pooling: pooling)
        }
        return switch kind {
        case .attention:
            AttentionArchitecture(
                width: width, outputs: outputs, heads: heads, hidden: hidden, attention: attention)
        case .mlpAttention:
            MLPAttentionArchitecture(width: width, outputs: outputs, heads: heads, units: units)
        case .rollingAttention:
            RollingAttentionArchitecture(width: width, outputs: outputs, heads: heads, window: window)
        case .mean, .massMean, .lda: pooled(.mean)
        case .last: pooled(.last)
        case .absmax: pooled(.absmax)
        case .max, .multimax: scored(MaxPooling())
        case .topk: scored(TopKPooling(k: k))
        case .softmax: scored(SoftmaxPooling(temperature: temperature))
        case .rolling: scored(RollingPooling(window: window))
        case .ema: scored(EMAPooling(decay: decay))
        }
    }

    /// What is trained in its place: a mean probe for ema, as in its source; else itself.
    var trained: ProbeConfiguration { kind == .ema ? .mean : self }
}
