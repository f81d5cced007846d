package import AttentionProbes
import Foundation

/// The formula of the attention probe, word for word, in double precision and plain loops: what
/// fast code is compared with, and what finite differences are taken of.
public struct ReferenceProbe: Sendable {
    let shape: AttentionArchitecture

    package init(_ shape: AttentionArchitecture) { self.shape = shape }

    private func tensor(_ name: String, _ parameters: [Double]) -> [Double] {
        shape.tensors.range(of: name).map { Array(parameters[$0]) } ?? []
    }

    /// Outputs and attention (H×L) of one sequence, L×D tokens with their positions.
    public func forward(
        _ tokens: [[Double]], positions: [Int], _ parameters: [Double]
    ) -> (outputs: [Double], attention: [[Double]]) {
        let (q, v) = (tensor("q.weight", parameters), tensor("v.weight", parameters))
        let (bias, position) = (tensor("v.bias", parameters), tensor("position_weight", parameters))
        let width = shape.width
        let values = shape.hidden > 0 ? shape.hidden : shape.outputs
        var pooled = [Double](repeating: 0, count: values)
        var attention: [[Double]] = []
        for h in 0..<shape.heads {
            let logits = tokens.indices.map { t in
                (0..<width).reduce(0) { $0 + tokens[t][$1] * q[h * width + $1] }
                    + position[h] * Double(positions[t])
            }
            let largest = logits.max()!
            let sum = logits.reduce(0) { $0 + exp($1 - largest) }
            attention.append(logits.map { shape.attention == .softmax ? exp($0 - largest) / sum : tanh($0) })
            for k in 0..<values {
                for t in tokens.indices {
                    let row = (h * values + k) * width
                    let value = (0..<width).reduce(bias[h * values + k]) { $0 + tokens[t][$1] * v[row + $1] }
                    pooled[k] += attention[h][t] * value
                }
            }
        }
        guard shape.hidden > 0 else { return (pooled, attention) }
        let (weights, constants) = (tensor("o.weight", parameters), tensor("o.bias", parameters))
        let outputs = (0..<shape.outputs).map { o in
            (0..<values).reduce(constants[o]) { $0 + weights[o * values + $1] * max(pooled[$1], 0) }
        }
        return (outputs, attention)
    }
}
