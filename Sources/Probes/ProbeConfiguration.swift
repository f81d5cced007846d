/// What a user chooses about a probe; with the width and outputs of the data, an architecture.
public struct ProbeConfiguration: Sendable, Equatable, CustomStringConvertible {
    /// The kind of probe.
    public let kind: ProbeKind
    /// How an attention probe's logits become attention.
    public var attention: AttentionFunction
    // Of the kind's hyperparameters and of no others.
    private var values: [Hyperparameter: Float]

    /// A kind of probe with its usual values where nothing is said; what the kind does not have is left out.
    public init(
        _ kind: ProbeKind, heads: Int? = nil, hidden: Int? = nil, attention: AttentionFunction = .softmax,
        units: Int? = nil, k: Int? = nil, window: Int? = nil, temperature: Float? = nil, decay: Float? = nil,
        smoothing: Smoothing? = nil
    ) {
        self.kind = kind
        self.attention = attention
        values = Dictionary(uniqueKeysWithValues: kind.hyperparameters.map { ($0.key, $0.value) })
        let given: [(Hyperparameter, Float?)] = [
            (.heads, heads.map(Float.init)), (.hidden, hidden.map(Float.init)),
            (.units, units.map(Float.init)),
            (.k, k.map(Float.init)), (.window, window.map(Float.init)), (.temperature, temperature),
            (.decay, decay), (.smoothing, smoothing.flatMap { Hyperparameter.smoothing.value($0.rawValue) }),
        ]
        for case (let hyperparameter, let value?) in given { self[hyperparameter] = value }
    }

    /// The value of a hyperparameter of the kind; to set one that the kind does not have changes nothing. Whole numbers
    /// are exact below 2²⁴.
    ///
    /// - Precondition: to get it, that the kind has it.
    public subscript(hyperparameter: Hyperparameter) -> Float {
        get { values[hyperparameter]! }
        set { if kind.has(hyperparameter) { values[hyperparameter] = newValue } }
    }

    private subscript(whole hyperparameter: Hyperparameter, without neutral: Int) -> Int {
        get { values[hyperparameter].map(Int.init(clamping:)) ?? neutral }
        set { self[hyperparameter] = Float(newValue) }
    }

    /// Heads; 1 for kinds that have none to choose.
    public var heads: Int {
        get { self[whole: .heads, without: 1] }
        set { self[whole: .heads, without: 1] = newValue }
    }
    /// Units of a hidden layer behind the heads; 0 for none, and for kinds without.
    public var hidden: Int {
        get { self[whole: .hidden, without: 0] }
        set { self[whole: .hidden, without: 0] = newValue }
    }
    /// Units of either layer of an mlp-attention probe; 0 for other kinds.
    public var units: Int {
        get { self[whole: .units, without: 0] }
        set { self[whole: .units, without: 0] = newValue }
    }
    /// k of a topk probe; 0 for other kinds.
    public var k: Int {
        get { self[whole: .k, without: 0] }
        set { self[whole: .k, without: 0] = newValue }
    }
    /// w of a rolling or rolling-attention probe, M of a swim probe, in tokens; 0 for other kinds.
    public var window: Int {
        get { self[whole: .window, without: 0] }
        set { self[whole: .window, without: 0] = newValue }
    }
    /// φ of a softmax probe, τ of a swim probe; 0 for other kinds.
    public var temperature: Float {
        get { values[.temperature] ?? 0 }
        set { self[.temperature] = newValue }
    }
    /// α of an ema probe, and of a swim probe that is smoothed so, above 0 and at most 1; 0 for other kinds.
    public var decay: Float {
        get { values[.decay] ?? 0 }
        set { self[.decay] = newValue }
    }
    /// How a swim probe smooths the scores of tokens; the mean for other kinds, which have no such choice.
    public var smoothing: Smoothing {
        get { values[.smoothing].flatMap { Smoothing(rawValue: Hyperparameter.smoothing.text($0)) } ?? .mean }
        set { self[.smoothing] = Hyperparameter.smoothing.value(newValue.rawValue)! }
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

    /// The kind and all values: what the configuration is, and nothing else, decides the text.
    public var description: String {
        let values = kind.hyperparameters.map { " \($0.key.name) \($0.key.text(self[$0.key]))" }
        return "\(kind) \(attention.rawValue)" + values.joined()
    }

    /// The architecture for hidden states of `width` and so many outputs.
    package func architecture(width: Int, outputs: Int) -> any ProbeArchitecture {
        kind.architecture(self, width, outputs)
    }

    /// What is trained in its place, of the same parameters: for most kinds their own architecture.
    package func trainedArchitecture(width: Int, outputs: Int) -> any ProbeArchitecture {
        if kind.tokenLoss != nil { return TokenLossArchitecture(width: width, outputs: outputs) }
        return kind.trainedAs.map { PooledArchitecture(width: width, outputs: outputs, pooling: $0) }
            ?? architecture(width: width, outputs: outputs)
    }
}
