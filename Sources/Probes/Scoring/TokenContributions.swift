// What single tokens add to an output. For the unmasked tokens j of a sequence, heads h, an output o:
//
//     v[h,j] = x_j·v_ho + β_ho                                        the value of a token
//     attention            a[h,j]·v[h,j]            Σ_h Σ_j of it is the output
//     with a hidden layer  the same with Σ_k Wo_ok·(x_j·v_hk + β_hk) over the units k that are active
//                          in this sequence, in place of v; Σ_h Σ_j of it and bo_o is the output
//     mlp-attention        a[h,j]·v[h,j] with the token behind its two layers in place of x_j
//     other kinds          v[h,j] itself, the score that the kind pools
//     absmax               nothing: its output comes from single dimensions of different tokens
//     ensemble             of its parts that attend their contributions, or where none does the scores of the others, times
//                          w_i/s_i; these add up to the output only where all parts attend, and but for a constant
public import Tensors
public import Activations

/// What a probe's output is made of, a token at a time.
package enum TokenQuantity: String, Sendable {
    /// Attention times value; all of them add up to the output.
    case contribution
    /// The value alone, which the probe pools in its way.
    case score
    /// Nothing that belongs to one token.
    case none
}

extension Probe {
    /// What the unmasked tokens of a sequence have in some outputs, one H×n matrix an output: attention times value for
    /// kinds that attend over the sequence, which adds up to the output, and for others the score that the kind pools;
    /// nil for a kind without such a quantity.
    ///
    /// - Precondition: the sequence is one of the set, and the outputs are of the probe's.
    /// - Throws: `DataError` where widths differ, a hidden state is NaN or infinite, or a file has become shorter.
    public func tokenContributions(
        _ data: ActivationSet, sequence index: Int, outputs: [Int]
    ) throws -> [Matrix]? {
        try tokenDetails(data, sequence: index, outputs: outputs).contributions
    }

    /// Attention of each head over the unmasked tokens of a sequence, H×n, as `attention` gives it, and what
    /// `tokenContributions` gives, from one forward pass.
    package func tokenDetails(
        _ data: ActivationSet, sequence index: Int, outputs: [Int]
    ) throws -> (attention: Matrix?, contributions: [Matrix]?) {
        guard configuration.parts.isEmpty else { return try partDetails(data, index, outputs) }
        let work = try forward(data, sequence: index)
        guard configuration.kind.tokenQuantity != .none else { return (nil, nil) }
        // What the rows of `v.weight` are multiplied with.
        let tokens = work.layers.tokens ?? data[index]
        let attention = attention(work, tokens: tokens.count)
        guard let weights = tensor("o.weight"), let attention else {
            let contributions = outputs.map { o in
                let values = tokenValues(tokens, rows: [o], of: task.outputs)[0]
                return attention.map { product($0, values) } ?? values
            }
            return (attention, contributions)
        }
        let hidden = weights.count / task.outputs
        let units = tokenValues(tokens, rows: Array(0..<hidden), of: hidden)
            .map { product(attention, $0) }
        let contributions = outputs.map { o in
            var sum = Matrix(rows: attention.rows, columns: attention.columns)
            for (k, unit) in units.enumerated() where unit.storage.reduce(0, +) > 0 {
                for h in 0..<sum.rows {
                    for j in 0..<sum.columns { sum[h, j] += weights[o * hidden + k] * unit[h, j] }
                }
            }
            return sum
        }
        return (attention, contributions)
    }

    // Of the parts that tell something, heads of one after the other.
    private func partDetails(
        _ data: ActivationSet, _ index: Int, _ outputs: [Int]
    ) throws -> (attention: Matrix?, contributions: [Matrix]?) {
        guard configuration.tokenQuantity != .none, let shape = architecture as? EnsembleArchitecture else {
            return (nil, nil)
        }
        let (all, factors, n) = (parts, Combination(shape, parameters).factors, data[index].count)
        var attention: [Float] = []
        var contributions = outputs.map { _ in [Float]() }
        for i in configuration.tellingParts {
            let own = try all[i].tokenDetails(
                shape.layers.isEmpty ? data : data.taking(columns: [shape.columns(of: i)]), sequence: index,
                outputs: outputs)
            attention += own.attention?.storage ?? []
            for (k, o) in outputs.enumerated() {
                contributions[k] += own.contributions![k].storage.map { $0 * factors[i * task.outputs + o] }
            }
        }
        func matrix(_ values: [Float]) -> Matrix {
            Matrix(rows: values.count / n, columns: n, storage: values)
        }
        return (attention.isEmpty ? nil : matrix(attention), contributions.map(matrix))
    }

    // x_j·v_hr + β_hr for some of the `count` value rows r of each head: an H×n matrix a row. x_j is as wide as
    // the rows are, which for tokens behind layers is not the width of the hidden states.
    private func tokenValues(_ sequence: TokenSequence, rows: [Int], of count: Int) -> [Matrix] {
        let (weights, biases) = (tensor("v.weight")!, tensor("v.bias")!)
        let (heads, n, width) = (biases.count / count, sequence.count, sequence.width)
        let chosen = rows.flatMap { r in (0..<heads).map { $0 * count + r } }
        let stacked = chosen.flatMap { weights[$0 * width..<($0 + 1) * width] }
        var products: [Float] = []
        var scratch: [Float] = []
        Projection(stacked[...], rows: chosen.count, width: width)
            .apply(sequence, into: &products, scratch: &scratch)
        return rows.indices.map { i in
            let values = (0..<heads).flatMap { h in
                let start = (i * heads + h) * n
                return products[start..<start + n].map { $0 + biases[chosen[i * heads + h]] }
            }
            return Matrix(rows: heads, columns: n, storage: values)
        }
    }
}

private func product(_ a: Matrix, _ b: Matrix) -> Matrix {
    Matrix(rows: a.rows, columns: a.columns, storage: zip(a.storage, b.storage).map { $0 * $1 })
}
