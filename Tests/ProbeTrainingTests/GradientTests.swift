import AttentionProbes
import Glibc
@testable import Probes
@testable import ProbeTraining
import TestSupport
import Testing

@Suite("Gradients against finite differences")
struct GradientTests {
    // Random shapes; every parameter of each is moved both ways in the double-precision reference.
    @Test(arguments: 0..<12)
    func attention(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        func size(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }
        let hidden = seed % 3 == 0 ? size(1...4) : 0
        let shape = AttentionArchitecture(
            width: size(1...9), outputs: size(1...4), heads: size(1...5), hidden: hidden,
            attention: seed % 4 == 3 ? .tanh : .softmax, plan: AttentionPlan.allCases[size(0...1)])
        let parameters = randomFloats(shape.tensors.parameterCount, seed: seed + 100, scale: 0.4)
        let batch = try randomBatch(lengths: [size(1...7)], width: shape.width, seed: seed + 200)
        let all = batch[0]
        // Every other token hidden, to check positions around a mask.
        let sequence = seed % 2 == 0 ? all : all.keeping { $0 == 0 || $0 % 2 == 1 }
        let weights = randomFloats(shape.outputs, seed: seed + 300)

        var work = Workspace()
        var gradient = [Float](repeating: 0, count: parameters.count)
        let evaluator = shape.evaluator(parameters)
        try TokenPass([evaluator], width: shape.width).forward(sequence, &work)
        evaluator.backward(sequence, outputGradient: weights, &work, gradient: &gradient)

        let tokens = sequence.doubles
        let positions = (0..<sequence.count).map(sequence.position)
        let reference = ReferenceProbe(shape)
        func objective(_ parameters: [Double]) -> Double {
            zip(reference.forward(tokens, positions: positions, parameters).outputs, weights)
                .reduce(0) { $0 + $1.0 * Double($1.1) }
        }
        #expect(relativeError(gradient, centralDifferences(at: parameters, objective)) < 1e-4)
        let outputs = reference.forward(tokens, positions: positions, parameters.map(Double.init)).outputs
        #expect(relativeError(work.outputs, outputs.map { Float($0) }) < 1e-5)
    }

    // A sequence of several tiles with several values a head, whose logits rise or fall far from one tile to the next, along
    // random directions of its parameters.
    @Test(arguments: [0, 4], [2, -2] as [Float])
    func severalTiles(hidden: Int, slope: Float) throws {
        let width = 3000
        let shape = AttentionArchitecture(width: width, outputs: 3, heads: 3, hidden: hidden)
        var parameters = randomFloats(shape.tensors.parameterCount, seed: 1, scale: 0.02)
        for (h, i) in shape.tensors.range(of: "position_weight")!.enumerated() {
            parameters[i] = h == 1 ? 0 : slope
        }
        let all = try randomBatch(lengths: [60], width: width, seed: 2)[0]
        for sequence in [all, all.keeping { $0 % 3 > 0 }] {
            #expect(!sequence.isOneTile(rows: 3))
            let weights = randomFloats(3, seed: 3)
            var work = Workspace()
            var gradient = [Float](repeating: 0, count: parameters.count)
            let evaluator = shape.evaluator(parameters)
            try TokenPass([evaluator], width: width).forward(sequence, &work)
            let (outputs, entropies, attention) = (work.outputs, work.entropies, work.attention)
            evaluator.backward(sequence, outputGradient: weights, &work, gradient: &gradient)

            let tokens = sequence.doubles
            let positions = (0..<sequence.count).map(sequence.position)
            let reference = ReferenceProbe(shape)
            let expected = reference.forward(tokens, positions: positions, parameters.map(Double.init))
            #expect(relativeError(outputs, expected.outputs.map { Float($0) }) < 1e-5)
            let heads = expected.attention
            #expect(
                relativeError(Array(attention.prefix(3 * sequence.count)), heads.joined().map { Float($0) })
                    < 1e-5)
            for (found, head) in zip(entropies, heads) {
                #expect(abs(Double(found) + head.reduce(0) { $1 > 0 ? $0 + $1 * log($1) : $0 }) < 1e-5)
            }
            for direction in 0..<2 {
                let step = randomFloats(parameters.count, seed: 10 + UInt64(direction)).map(Double.init)
                func moved(_ by: Double) -> Double {
                    let moved = zip(parameters, step).map { Double($0) + by * $1 }
                    return zip(reference.forward(tokens, positions: positions, moved).outputs, weights)
                        .reduce(0) { $0 + $1.0 * Double($1.1) }
                }
                let slope = (moved(1e-6) - moved(-1e-6)) / 2e-6
                let found = zip(gradient, step).reduce(0) { $0 + Double($1.0) * $1.1 }
                #expect(abs(found - slope) < 1e-4 * max(1, abs(slope)), "\(found), expected \(slope)")
            }
        }
    }

    // Many sequences at once, some of several tiles, against one at a time: one visit with one value a head,
    // value rows shared by short sequences with several. Position weights as large as 2 move the origin of
    // the exponentials from tile to tile.
    @Test(arguments: [(1, 0), (1, 1), (3, 0), (2, 4)], [0, 0.01, 2, -2] as [Float])
    func manySequences(sizes: (outputs: Int, hidden: Int), slope: Float) throws {
        let width = 3000
        let shape = AttentionArchitecture(
            width: width, outputs: sizes.outputs, heads: 3, hidden: sizes.hidden)
        var parameters = randomFloats(shape.tensors.parameterCount, seed: 1, scale: 0.02)
        let positions = shape.tensors.range(of: "position_weight")!
        for (h, i) in positions.enumerated() { parameters[i] = h == 1 ? 0 : slope }
        let batch = try randomBatch(lengths: [1, 130, 5, 60, 3, 90, 49], width: width, seed: 2)
        let sequences = (0..<batch.count).map { i in
            i == 3 ? batch[i].keeping { $0 % 3 > 0 } : batch[i]
        }
        let weights = randomFloats(shape.outputs, seed: 3)
        let evaluator = shape.evaluator(parameters)
        let pass = TokenPass([evaluator], width: width)

        var (work, expected, outputs): (Workspace, [Float], [Float]) = (
            Workspace(), [Float](repeating: 0, count: parameters.count), []
        )
        for sequence in sequences {
            try pass.forward(sequence, &work)
            outputs += work.outputs
            evaluator.backward(sequence, outputGradient: weights, &work, gradient: &expected)
        }
        var (found, gradient) = ([Float](), [Float](repeating: 0, count: parameters.count))
        var order: [Int] = []
        try evaluator.addGradients(sequences, pass.projection, &work, gradient: &gradient) { i, work in
            order.append(i)
            found += work.outputs
            work.outputGradient = weights
        }
        #expect(order == Array(sequences.indices))
        #expect(relativeError(found, outputs) < 1e-5)
        for (tensor, range) in shape.tensors.placed {
            #expect(relativeError(gradient[range], expected[range]) < 2e-5, "\(tensor.name)")
        }
    }

    // What a group leaves for each sequence has the size of H tokens, also of a sequence of one.
    @Test(arguments: [1, 8, 12, 40])
    func groupsOfShortSequencesAreBounded(heads: Int) throws {
        let shape = AttentionArchitecture(width: 1024, outputs: 2, heads: heads)
        let evaluator = AttentionEvaluator(
            shape, Array(repeating: 0, count: shape.tensors.parameterCount))
        let batch = try randomBatch(lengths: Array(repeating: 1, count: 1200), width: shape.width, seed: 1)
        let groups = evaluator.groups((0..<batch.count).map { batch[$0] })
        #expect(groups.allSatisfy { $0.count * (1 + 2 * heads) * shape.width <= 1 << 19 })
        #expect(groups.map(\.count).max()! > 4 && groups.joined().count == batch.count)
    }

    @Test(arguments: Pooling.allCases)
    func pooled(pooling: Pooling) throws {
        let shape = PooledArchitecture(width: 5, outputs: 2, pooling: pooling)
        let parameters = randomFloats(12, seed: 1)
        let sequence = try randomBatch(lengths: [4], width: 5, seed: 2)[0]
        var work = Workspace()
        var gradient = [Float](repeating: 0, count: 12)
        try TokenPass([shape.evaluator(parameters)], width: shape.width).forward(sequence, &work)
        shape.evaluator(parameters).backward(sequence, outputGradient: [2, -1], &work, gradient: &gradient)
        // The outputs are linear in the parameters, so any difference quotient is the derivative.
        for i in parameters.indices {
            var moved = parameters
            moved[i] += 1
            var other = Workspace()
            try TokenPass([shape.evaluator(moved)], width: shape.width).forward(sequence, &other)
            let difference = 2 * (other.outputs[0] - work.outputs[0]) - (other.outputs[1] - work.outputs[1])
            #expect(abs(gradient[i] - difference) < 1e-4)
        }
    }

    @Test(arguments: ["binary", "multiclass", "multilabel", "regression"])
    func losses(name: String) throws {
        let classes = ["a", "b", "c"]
        let (task, target): (ProbeTask, Target) =
            switch name {
            case "binary": (.binary(classes: ["a", "b"]), .class(1))
            case "multiclass": (.multiclass(classes: classes), .class(2))
            case "multilabel": (.multilabel(classes: classes), .values([1, 0, 1]))
            default: (.regression(outputs: 3), .values([0.5, -2, 1]))
            }
        let outputs = Array([0.3, -1.2, 2.5].prefix(task.outputs)).map { Float($0) }
        var gradient: [Float] = []
        var unused: [Float] = []
        _ = Loss(task)(outputs, target, gradient: &gradient)
        for o in outputs.indices {
            var (above, below) = (outputs, outputs)
            above[o] += 1e-2
            below[o] -= 1e-2
            let difference =
                Loss(task)(above, target, gradient: &unused) - Loss(task)(below, target, gradient: &unused)
            #expect(abs(Double(gradient[o]) - difference / Double(above[o] - below[o])) < 1e-4)
        }
    }

    @Test func lossOfExtremeLogitsIsFinite() {
        var gradient: [Float] = []
        let loss = Loss(.binary(classes: ["a", "b"]))([-1e4], .class(1), gradient: &gradient)
        #expect(loss == 1e4 && gradient == [-1])
        let multiclass = Loss(.multiclass(classes: ["a", "b"]))([1e4, -1e4], .class(1), gradient: &gradient)
        #expect(multiclass == 2e4 && gradient == [1, -1])
    }
}
