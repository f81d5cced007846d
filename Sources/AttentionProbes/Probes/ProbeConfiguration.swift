/// A kind of probe, by its name in probe files and on the command line.
public enum ProbeKind: String, Sendable, CaseIterable {
    /// Learned queries, softmax over tokens, values.
    case attention
    /// A linear probe on the mean of the tokens.
    case mean
    /// A linear probe on the last token.
    case last
}

/// What a user chooses about a probe; with the width and outputs of the data, an architecture.
public struct ProbeConfiguration: Sendable, Equatable {
    /// The kind of probe.
    public var kind: ProbeKind
    /// Heads of an attention probe; 1 for the others.
    public var heads: Int
    /// Units of an attention probe's hidden layer; 0 for none, and for the others.
    public var hidden: Int
    /// How an attention probe's logits become attention.
    public var attention: AttentionFunction

    /// An attention probe.
    public static func attention(
        heads: Int = 8, hidden: Int = 0, _ attention: AttentionFunction = .softmax
    ) -> ProbeConfiguration {
        ProbeConfiguration(kind: .attention, heads: heads, hidden: hidden, attention: attention)
    }
    /// A linear probe on the mean of the tokens.
    public static let mean = ProbeConfiguration(kind: .mean, heads: 1, hidden: 0, attention: .softmax)
    /// A linear probe on the last token.
    public static let last = ProbeConfiguration(kind: .last, heads: 1, hidden: 0, attention: .softmax)

    /// The architecture for hidden states of `width` and so many outputs.
    public func architecture(width: Int, outputs: Int) -> any ProbeArchitecture {
        switch kind {
        case .attention:
            AttentionArchitecture(
                width: width, outputs: outputs, heads: heads, hidden: hidden, attention: attention)
        case .mean: PooledArchitecture(width: width, outputs: outputs, pooling: .mean)
        case .last: PooledArchitecture(width: width, outputs: outputs, pooling: .last)
        }
    }
}
