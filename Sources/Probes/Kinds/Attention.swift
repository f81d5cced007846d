// The attention probe of Shabalin and Belrose (2025). For the unmasked tokens j of a sequence, at
// positions t(j), with H heads and V values a head (V = M with a hidden layer of M units, else O):
//
//     logit[h,j] = x_j·q_h + p_h·t(j)
//     a[h,j]     = exp(logit[h,j]) / Σ_i exp(logit[h,i])          softmax, or
//     a[h,j]     = tanh(logit[h,j])
//     r[k]       = Σ_h Σ_j a[h,j]·(x_j·v_hk + β_hk)
//     y          = r, or with a hidden layer  Wo·relu(r) + bo
//
// Two ways to the same r: multiply every token with every value row (`stackedProduct`), or pool
// the tokens first, u_h = Σ_j a[h,j]·x_j, and multiply u_h with the value rows (`poolThenProject`).
package import Tensors

extension ProbeKind {
    /// Learned queries, softmax over tokens, values.
    public static let attention = ProbeKind(
        "attention", [.heads: 8, .hidden: 0],
        architecture: { configuration, width, outputs in
            AttentionArchitecture(
                width: width, outputs: outputs, heads: configuration.heads, hidden: configuration.hidden,
                attention: configuration.attention)
        }
    ) { kind in
        kind.attends = true
        kind.hasAttentionFunction = true
        kind.addsHeads = true
        kind.tokenQuantity = .contribution
        kind.grid = Grid(rank: 0) { task in
            switch task {
            case .binary: [.init(heads: [4], tokenDropouts: [0.5, 0]), .init(heads: [8])]
            case .multiclass, .multilabel:
                [
                    .init(heads: [4], .lbfgs, l2: [0.003, 0.01]),
                    .init(heads: [4, 8], tokenDropouts: [0, 0.5]),
                ]
            case .regression: [.init(heads: [2, 8], l2: [0.001, 0.01, 0.1])]
            }
        }
    }
}

/// How logits become attention.
public enum AttentionFunction: String, Sendable, CaseIterable {
    /// Softmax over the tokens of a sequence: positive weights that add up to 1.
    case softmax
    /// Hyperbolic tangent of each logit alone: weights between -1 and 1.
    case tanh
}

/// The order of operations in an attention probe; the result is the same up to rounding.
package enum AttentionPlan: String, Sendable, CaseIterable {
    /// One product of the tokens with the stacked rows [q | v]: n·D·H·(1+V) multiplications.
    case stackedProduct
    /// Logits, then weighted sums of tokens, then values: n·D·2H + D·H·V multiplications.
    case poolThenProject

    /// The plan with fewer multiplications a token: H·(1+V) against 2H. What pooling adds once a
    /// sequence, D·H·V, is left out so that the choice, and with it the bits of a score, depends
    /// on the probe alone.
    static func cheapest(values: Int) -> AttentionPlan {
        1 + values <= 2 ? .stackedProduct : .poolThenProject
    }
}

/// An attention probe with learned queries, position weights, values and, with `hidden` > 0, one
/// hidden layer of rectified linear units behind the heads.
package struct AttentionArchitecture: ProbeArchitecture, Equatable {
    /// D, the width of a hidden state.
    package let width: Int
    /// O, the number of outputs.
    package let outputs: Int
    /// H, the number of heads.
    package let heads: Int
    /// M, the units of the hidden layer; 0 for none.
    package let hidden: Int
    /// How logits become attention.
    package let attention: AttentionFunction
    /// The order of operations.
    package let plan: AttentionPlan

    /// An architecture of the given sizes; `plan` nil takes the one with fewer operations.
    ///
    /// - Precondition: sizes are positive, `hidden` not negative.
    package init(
        width: Int, outputs: Int, heads: Int, hidden: Int = 0, attention: AttentionFunction = .softmax,
        plan: AttentionPlan? = nil
    ) {
        precondition(width > 0 && outputs > 0 && heads > 0 && hidden >= 0)
        self.width = width
        self.outputs = outputs
        self.heads = heads
        self.hidden = hidden
        self.attention = attention
        self.plan = plan ?? .cheapest(values: hidden > 0 ? hidden : outputs)
    }

    /// The rows [q | v], or H queries and H weighted sums.
    package var rowsPerToken: Int { heads * (plan == .stackedProduct ? 1 + values : 2) }

    /// V, the values that each head pools.
    var values: Int { hidden > 0 ? hidden : outputs }

    /// `q.weight` (H,D), `v.weight` (H·V,D) with row h·V+k, `v.bias` (H·V), `position_weight` (H), and
    /// with a hidden layer `o.weight` (O,M) and `o.bias` (O). The first two, side by side, are also the
    /// stacked (H + H·V)×D rows.
    package var tensors: [ParameterTensor] {
        var tensors: [ParameterTensor] =
            .queries(heads: heads, width: width)
            + .values(rows: heads * values, width: width, areOutputs: hidden == 0)
        tensors.append(ParameterTensor("position_weight", shape: [heads], role: .position))
        if hidden > 0 {
            tensors += [
                ParameterTensor(
                    "o.weight", shape: [outputs, hidden], role: .outputWeights, scalesOutputs: true),
                ParameterTensor("o.bias", shape: [outputs], role: .bias, scalesOutputs: true),
            ]
        }
        return tensors
    }

    /// Uniform attention (queries and positions zero) over values drawn from the uniform
    /// distribution over ±1/√D, divided among the heads; the hidden layer over ±1/√M. A tanh would be 0
    /// everywhere, and a hidden layer behind it never wake, so its queries are drawn over ±1/√D.
    package func initialParameters(_ generator: inout SeededGenerator) -> [Float] {
        var parameters = [Float](repeating: 0, count: tensors.parameterCount)
        for (tensor, range) in tensors.placed {
            let bound: Float
            switch tensor.name {
            case "q.weight" where attention == .tanh: bound = 1 / Float(width).squareRoot()
            case "v.weight": bound = 1 / (Float(width).squareRoot() * Float(heads))
            case "o.weight", "o.bias": bound = 1 / Float(hidden).squareRoot()
            default: continue
            }
            for i in range { parameters[i] = bound * (2 * generator.uniform() - 1) }
        }
        return parameters
    }

    /// Parameters made ready to meet many sequences. O(parameters).
    package func evaluator(_ parameters: [Float]) -> any ProbeEvaluator {
        AttentionEvaluator(self, parameters)
    }

    /// The parameters made ready to score many sequences. O(parameters).
    package func scorer(_ parameters: [Float]) -> any ProbeEvaluator {
        var evaluator = AttentionEvaluator(self, parameters)
        evaluator.prepareValues()
        return evaluator
    }

    /// The parameters made ready to score token by token. O(parameters).
    package func prefixRule(_ parameters: [Float]) -> (any PrefixRule)? { AttentionRule(self, parameters) }
}
