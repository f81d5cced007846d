// Attention over tokens that two layers have looked at first (Kramár et al., 2026, arXiv 2601.11516): the formula of
// Attention.swift on what LayeredArchitecture.swift makes of the tokens.

extension ProbeKind {
    /// Attention over tokens behind two rectified layers. With them a third of the usual learning rate does better
    /// on held-out documents.
    public static let mlpAttention = ProbeKind(
        "mlp-attention", [.heads: 8, .neededUnits: 100],
        architecture: { configuration, width, outputs in
            LayeredArchitecture.behind(configuration.units, width: width) { width in
                // Values are multiplied token by token, so that the gradient by a token is one product.
                AttentionArchitecture(
                    width: width, outputs: outputs, heads: configuration.heads, plan: .stackedProduct)
            }
        }
    ) { kind in
        kind.attends = true
        kind.tokenQuantity = .contribution
        kind.learningRate = 1e-3
    }
}
