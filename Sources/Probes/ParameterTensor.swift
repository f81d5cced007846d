/// One named tensor of a probe's parameters, as it stands in a probe file.
///
/// The parameters of a probe are one flat vector: its tensors end to end, each row-major.
package struct ParameterTensor: Sendable, Equatable {
    /// What a tensor does, which decides how it is penalised and standardised.
    package enum Role: Sendable, Equatable {
        /// Rows that multiply hidden states, shape (…, D), and the tensor whose entries are added to
        /// the products, one a row, if there is one.
        case tokenWeights(bias: String?)
        /// Weights behind the pooling.
        case outputWeights
        /// Added constants.
        case bias
        /// Position weights.
        case position
    }

    /// The name in a probe file, which is the reference implementation's.
    package let name: String
    /// Its shape.
    package let shape: [Int]
    /// What it does.
    package internal(set) var role: Role
    /// Whether outputs are proportional to it: where all such tensors of a probe are multiplied by a number, so are its
    /// outputs.
    package let scalesOutputs: Bool
    /// Whether a probe file may lack it, for zeros.
    let isOptional: Bool

    /// A tensor.
    package init(
        _ name: String, shape: [Int], role: Role, scalesOutputs: Bool = false, isOptional: Bool = false
    ) {
        (self.name, self.shape, self.role) = (name, shape, role)
        (self.scalesOutputs, self.isOptional) = (scalesOutputs, isOptional)
    }

    /// The same with something before its name.
    func prefixed(_ prefix: String) -> ParameterTensor {
        var role = role
        if case .tokenWeights(let bias?) = role { role = .tokenWeights(bias: prefix + bias) }
        return ParameterTensor(
            prefix + name, shape: shape, role: role, scalesOutputs: false, isOptional: isOptional)
    }

    /// Number of elements.
    package var count: Int { shape.reduce(1, *) }

    /// Whether L2 penalties and weight decay apply: to weights, never to biases and positions.
    package var isPenalised: Bool {
        switch role {
        case .tokenWeights, .outputWeights: true
        case .bias, .position: false
        }
    }
}

extension [ParameterTensor] {
    /// `v.weight` (R,D) and `v.bias` (R): R rows that give every token, or what is pooled of them, R
    /// values.
    ///
    /// - Parameter areOutputs: whether outputs are sums of them, so that nothing comes behind.
    package static func values(rows: Int, width: Int, areOutputs: Bool = true) -> [ParameterTensor] {
        [
            ParameterTensor(
                "v.weight", shape: [rows, width], role: .tokenWeights(bias: "v.bias"),
                scalesOutputs: areOutputs),
            ParameterTensor(
                "v.bias", shape: [rows], role: .bias, scalesOutputs: areOutputs, isOptional: true),
        ]
    }

    /// `q.weight` (H,D): a query a head.
    package static func queries(heads: Int, width: Int) -> [ParameterTensor] {
        [ParameterTensor("q.weight", shape: [heads, width], role: .tokenWeights(bias: nil))]
    }

    /// Rows as wide as hidden states: those with a bias if there are any.
    var widest: ParameterTensor? {
        let rows = compactMap { tensor in
            if case .tokenWeights(let bias) = tensor.role { (tensor, hasBias: bias != nil) } else { nil }
        }
        return (rows.first(where: \.hasBias) ?? rows.first)?.0
    }

    /// Length of the flat vector.
    package var parameterCount: Int { reduce(0) { $0 + $1.count } }

    /// Where a tensor's elements stand in the flat vector; nil if there is no such tensor.
    package func range(of name: String) -> Range<Int>? {
        var start = 0
        for tensor in self {
            if tensor.name == name { return start..<start + tensor.count }
            start += tensor.count
        }
        return nil
    }

    /// The tensors and where each stands in the flat vector.
    package var placed: [(tensor: ParameterTensor, range: Range<Int>)] {
        var start = 0
        return map { tensor in
            defer { start += tensor.count }
            return (tensor, start..<start + tensor.count)
        }
    }
}
