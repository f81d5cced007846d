import AttentionProbes
@testable import Probes
import Foundation
import TestSupport
import Testing

// Against the formulas in double precision: two rectified layers of every token, and the probe of what they give.
@Suite("Layers before the heads")
struct LayeredTests {
    private typealias Outputs = ([[Double]], _ positions: [Int], _ parameters: [Double]) -> [Double]

    // Rows of weights times a token, and a bias a row.
    private func product(_ x: [Double], _ weights: ArraySlice<Double>, _ biases: ArraySlice<Double>)
        -> [Double]
    {
        biases.indices.map { r in
            let row = weights.dropFirst((r - biases.startIndex) * x.count).prefix(x.count)
            return zip(row, x).reduce(biases[r]) { $0 + $1.0 * $1.1 }
        }
    }

    // The probe behind the layers by its definition.
    private func probe(_ shape: any ProbeArchitecture, heads: Int, window: Int) -> Outputs {
        let (units, outputs) = (shape.width, shape.outputs)
        if let attention = shape as? AttentionArchitecture {
            let reference = ReferenceProbe(attention)
            return { reference.forward($0, positions: $1, $2).outputs }
        }
        // Σ_h max_j of the values, or of their means under attention over the last tokens.
        return { tokens, _, p in
            let queries = shape.tensors.range(of: "q.weight").map { p[$0] }
            let rows = shape.tensors.range(of: "v.weight")!
            let values = tokens.map { product($0, p[rows], p[rows.upperBound...]) }
            let zeros = [Double](repeating: 0, count: heads)[...]
            let logits = queries.map { q in tokens.map { product($0, q, zeros) } }
            precondition(rows.count == heads * outputs * units)
            return (0..<outputs).map { o in
                (0..<heads).reduce(0) { sum, h in
                    let pooled = tokens.indices.map { j -> Double in
                        guard let logits else { return values[j][h * outputs + o] }
                        let own = max(0, j - window + 1)...j
                        let weights = own.map { exp(logits[$0][h]) }
                        return zip(own, weights).reduce(0) { $0 + values[$1.0][h * outputs + o] * $1.1 }
                            / weights.reduce(0, +)
                    }
                    return sum + pooled.max()!
                }
            }
        }
    }

    @Test(arguments: [ProbeKind.mlpAttention, .multimax, .rollingAttention], 0..<6)
    func outputsAndGradient(kind: ProbeKind, seed: UInt64) throws {
        let (width, units, outputs, heads) = (5, 4, 1 + Int(seed) % 3, 1 + Int(seed) % 2)
        let configuration = ProbeConfiguration(kind, heads: heads, units: units, window: 3)
        let shape = try #require(
            configuration.architecture(width: width, outputs: outputs) as? LayeredArchitecture)
        let parameters = randomFloats(shape.tensors.parameterCount, seed: seed + 40, scale: 0.6)
        let all = try randomBatch(lengths: [6], width: width, seed: seed + 50)[0]
        let sequence = seed % 2 == 0 ? all : all.keeping { $0 == 0 || $0 > 2 }
        let weights = randomFloats(outputs, seed: seed + 60)
        var work = Workspace()
        var gradient = [Float](repeating: 0, count: parameters.count)
        let evaluator = shape.evaluator(parameters)
        try TokenPass([evaluator], width: width).forward(sequence, &work)
        evaluator.backward(sequence, outputGradient: weights, &work, gradient: &gradient)

        let tokens = sequence.doubles
        let positions = (0..<sequence.count).map(sequence.position)
        let behind = probe(shape.inner, heads: heads, window: 3)
        func scores(_ p: [Double]) -> [Double] {
            let (a, b, c) = (units * width, units * (width + 1), units * (width + 1 + units))
            let hidden = tokens.map { x in
                let first = product(x, p[..<a], p[a..<b]).map { max(0, $0) }
                return product(first, p[b..<c], p[c..<c + units]).map { max(0, $0) }
            }
            return behind(hidden, positions, Array(p[(c + units)...]))
        }
        let differences = centralDifferences(at: parameters) {
            zip(scores($0), weights).reduce(0) { $0 + $1.0 * Double($1.1) }
        }
        #expect(relativeError(gradient, differences) < 1e-4)
        #expect(relativeError(work.outputs, scores(parameters.map(Double.init)).map { Float($0) }) < 1e-5)
    }

    // Files say of no layers what they said when there was no such choice.
    @Test func files() throws {
        let folder = try TemporaryFolder()
        for units in [0, 5] {
            let configuration = ProbeConfiguration(.multimax, heads: 2, units: units)
            let count = configuration.architecture(width: 3, outputs: 1).tensors.parameterCount
            let probe = Probe(
                configuration, width: 3, task: .binary(classes: ["a", "b"]),
                parameters: randomFloats(count, seed: 1))
            try probe.write(to: folder("probe"))
            let file = try TensorFile(path: folder("probe"))
            #expect(file.metadata["units"] == (units == 0 ? nil : "5"))
            let read = try Probe(path: folder("probe"))
            #expect(read.configuration == configuration && read.parameters == probe.parameters)
            #expect(read.width == 3 && configuration.canBeAveraged == (units == 0))
        }
        // Layers of which the file says nothing.
        let file = try TensorFile(path: folder("probe"))
        var writer = SafetensorsWriter(metadata: file.metadata.filter { $0.key != "units" })
        for name in file.tensors.names {
            let tensor = try #require(file.tensors[name])
            writer.add(name, file.floats(tensor), shape: tensor.shape)
        }
        try writer.write(to: folder("probe"))
        let error = #expect(throws: DataError.self) { try Probe(path: folder("probe")) }
        #expect(error?.place == "metadata units" && error?.expected == "the units of mlp.0.weight")
        #expect(
            Candidate(ProbeConfiguration(.multimax, units: 5), TrainingOptions()).name
                == "multimax, 8 heads, 5 units")
        #expect(Candidate(ProbeConfiguration(.multimax), TrainingOptions()).name == "multimax, 8 heads")
    }
}
