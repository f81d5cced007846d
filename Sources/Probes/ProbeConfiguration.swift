/// What a user chooses about a probe; with the width and outputs of the data, an architecture.
public struct ProbeConfiguration: Sendable, Equatable, CustomStringConvertible {
    /// The kind of probe.
    public let kind: ProbeKind
    /// How an attention probe's logits become attention.
    public var attention: AttentionFunction
    /// What an ensemble is made of, at least one; none for other kinds.
    package private(set) var parts: [ProbeConfiguration] = []
    /// Which layer each part of an ensemble across layers reads, of those that stand side by side in hidden states,
    /// counted from 0 and never falling; none where all parts read all of the state.
    package private(set) var partLayers: [Int] = []
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

    /// Heads; 1 for kinds that have none to choose. Of an ensemble those of its parts that attend, or where none does of
    /// those whose tokens have scores.
    public var heads: Int {
        get {
            parts.isEmpty
                ? self[whole: .heads, without: 1] : max(1, tellingParts.reduce(0) { $0 + parts[$1].heads })
        }
        set { self[whole: .heads, without: 1] = newValue }
    }
    /// Units of a hidden layer behind the heads; 0 for none, and for kinds without.
    package var hidden: Int {
        get { self[whole: .hidden, without: 0] }
        set { self[whole: .hidden, without: 0] = newValue }
    }
    /// Units of either of two layers before the heads; 0 for none, and for kinds without.
    package var units: Int {
        get { self[whole: .units, without: 0] }
        set { self[whole: .units, without: 0] = newValue }
    }
    /// k of a topk probe; 0 for other kinds.
    package var k: Int {
        get { self[whole: .k, without: 0] }
        set { self[whole: .k, without: 0] = newValue }
    }
    /// w of a rolling or rolling-attention probe, M of a swim probe, in tokens; 0 for other kinds.
    package var window: Int {
        get { self[whole: .window, without: 0] }
        set { self[whole: .window, without: 0] = newValue }
    }
    /// φ of a softmax probe, τ of a swim probe; 0 for other kinds.
    package var temperature: Float {
        get { values[.temperature] ?? 0 }
        set { self[.temperature] = newValue }
    }
    /// α of an ema probe, and of a swim probe that is smoothed so, above 0 and at most 1; 0 for other kinds.
    package var decay: Float {
        get { values[.decay] ?? 0 }
        set { self[.decay] = newValue }
    }
    /// How a swim probe smooths the scores of tokens; the mean for other kinds, which have no such choice.
    package var smoothing: Smoothing {
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

    /// For people: "attention, 8 heads", "ensemble of attention, 8 heads + multimax, 8 heads".
    public var summary: String {
        guard parts.isEmpty else { return "\(kind) of " + parts.map(\.summary).joined(separator: " + ") }
        var text = kind.rawValue
        if kind.hasHeads { text += heads == 1 ? ", 1 head" : ", \(heads) heads" }
        if hidden > 0 { text += ", hidden layer of \(hidden)" }
        if units > 0 { text += ", behind layers of \(units)" }
        if attention == .tanh { text += ", tanh" }
        return text
    }

    /// The kind and all values: what the configuration is, and nothing else, decides the text.
    public var description: String {
        guard parts.isEmpty else {
            let places = partLayers.isEmpty ? "" : " of layers \(partLayers)"
            return "\(kind) of " + parts.map(\.description).joined(separator: " + ") + places
        }
        return "\(kind) \(attention.rawValue)" + saidValues.map { " \($0.name) \($0.text)" }.joined()
    }

    /// The values of the hyperparameters as probe files have them, without those that say that there is nothing.
    package var saidValues: [(name: String, text: String)] {
        kind.hyperparameters.compactMap { hyperparameter, _ in
            let value = self[hyperparameter]
            return hyperparameter.isOptional && value == 0
                ? nil : (hyperparameter.name, hyperparameter.text(value))
        }
    }

    /// An ensemble of such probes. Its attention is a softmax if that of all parts that attend is.
    ///
    /// - Parameter layers: which of several layers each part reads, see `partLayers`; none where all read all.
    /// - Precondition: there is a part, and none is an ensemble; `layers` are one a part, from 0 on, none left out.
    package static func ensemble(
        _ parts: [ProbeConfiguration], layers: [Int] = []
    ) -> ProbeConfiguration {
        precondition(!parts.isEmpty && parts.allSatisfy { $0.parts.isEmpty }, "parts that make no ensemble")
        precondition(
            layers.isEmpty || layers.count == parts.count && areInOrder(layers), "layers \(layers) of parts")
        var configuration = ProbeConfiguration(.ensemble)
        (configuration.parts, configuration.partLayers) = (parts, layers)
        if parts.contains(where: { $0.attends && $0.attention == .tanh }) { configuration.attention = .tanh }
        return configuration
    }

    /// Whether these may be the layers of parts: from 0 on, none left out, never falling.
    static func areInOrder(_ layers: [Int]) -> Bool {
        layers.first == 0 && zip(layers, layers.dropFirst()).allSatisfy { (0...1).contains($1 - $0) }
    }

    /// How many layers side by side the hidden states have that an ensemble across layers takes; 1 for others.
    package var layerCount: Int { (partLayers.last ?? 0) + 1 }

    /// Whether its heads have an attention over all tokens; of an ensemble whether those of a part have.
    package var attends: Bool { kind.attends || parts.contains(where: \.attends) }

    /// What single tokens have in such a probe; in an ensemble what they have in the parts that attend, or in the others.
    package var tokenQuantity: TokenQuantity {
        tellingParts.first.map { parts[$0].tokenQuantity } ?? kind.tokenQuantity
    }

    // The parts of an ensemble that tell something of single tokens: those that attend, else those that score tokens.
    var tellingParts: [Int] {
        parts.indices.filter { attends ? parts[$0].attends : parts[$0].tokenQuantity != .none }
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
