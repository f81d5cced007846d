import AttentionProbes
@testable import Probes
@testable import ProbeTraining
import TestSupport
import Testing

@Suite("Gradients of many sequences together")
struct JointGradientTests {
    private struct Case {
        let shape: AttentionArchitecture
        let parameters: [Float]
        let sequences: [TokenSequence]

        init(_ shape: AttentionArchitecture) throws {
            self.shape = shape
            parameters = randomFloats(shape.tensors.parameterCount, seed: 3, scale: 0.3)
            let batch = try randomBatch(lengths: [3, 1, 8, 5, 2, 7, 4, 6, 1], width: shape.width, seed: 4)
            // One of them with a token that the probe may not look at.
            sequences = (0..<batch.count).map { i in i == 3 ? batch[i].keeping { $0 != 1 } : batch[i] }
        }

        // A loss whose gradient by the outputs is another for every sequence.
        @Sendable static func loss(_ i: Int, _ work: inout Workspace) -> Double {
            work.outputGradient = work.outputs.map { $0 - Float(i) / 4 }
            return work.outputGradient.reduce(0) { $0 + Double($1) * Double($1) } / 2
        }

        func oneByOne() throws -> (loss: Double, gradient: [Float]) {
            let evaluator = shape.evaluator(parameters)
            let pass = TokenPass([evaluator], width: shape.width)
            var (work, loss) = (Workspace(), 0.0)
            var gradient = [Float](repeating: 0, count: parameters.count)
            for (i, sequence) in sequences.enumerated() {
                try pass.forward(sequence, &work)
                loss += Self.loss(i, &work)
                evaluator.backward(sequence, outputGradient: work.outputGradient, &work, gradient: &gradient)
            }
            return (loss, gradient)
        }

        // In two parts, of which the second adds to the first.
        func together(threads: Int, cut: Int) throws -> (loss: Double, gradient: [Float]) {
            let evaluator = try #require(shape.evaluator(parameters) as? any JointEvaluator)
            let pass = TokenPass([evaluator], width: shape.width)
            let workspaces = Pool { Workspace() }
            var (joint, loss) = (JointWorkspace(), 0.0)
            // Whatever was in it means nothing.
            var gradient = [Float](repeating: .nan, count: parameters.count)
            for range in [0..<cut, cut..<sequences.count] where !range.isEmpty {
                let own = Array(sequences[range])
                loss += try evaluator.jointGradient(
                    own, blocks: Objective.blocks(own.map(\.count)), try #require(pass.projection),
                    addsTo: range.lowerBound > 0, threads: threads, workspaces, &joint, gradient: &gradient
                ) { Self.loss(range.lowerBound + $0, &$1) }
            }
            return (loss, gradient)
        }
    }

    @Test(arguments: [
        AttentionArchitecture(width: 5, outputs: 3, heads: 2),
        AttentionArchitecture(width: 6, outputs: 150, heads: 3),
        AttentionArchitecture(width: 5, outputs: 2, heads: 4, hidden: 70),
        AttentionArchitecture(width: 7, outputs: 5, heads: 2, attention: .tanh),
    ])
    func areTheirSums(shape: AttentionArchitecture) throws {
        let own = try Case(shape)
        let expected = try own.oneByOne()
        for cut in [9, 4] {
            let found = try own.together(threads: 1, cut: cut)
            #expect(abs(found.loss - expected.loss) < 1e-5 * expected.loss)
            #expect(relativeError(found.gradient, expected.gradient) < 1e-5)
            #expect(try own.together(threads: 3, cut: cut) == found, "other bits on three threads")
        }
    }

    @Test func nanIsRefusedByTheNameOfItsSequence() throws {
        let shape = AttentionArchitecture(width: 5, outputs: 3, heads: 2)
        var sequences = (0..<12).map { randomFloats(15, seed: UInt64($0)) }
        sequences[7][3] = .nan
        let batch = try RaggedBatch(sequences, width: 5)
        let data = try ActivationSet([
            ActivationFile(batch, targets: .classes((0..<12).map { $0 % 3 }), classes: ["a", "b", "c"])
        ])
        #expect(shape.isFasterJointly(tokens: 36, blocks: 12))
        let objective = Objective(shape, data, try data.task(), threads: 2)
        let error = try #require(
            #expect(throws: DataError.self) {
                try objective.gradient(randomFloats(shape.tensors.parameterCount, seed: 1))
            })
        #expect("\(error)".contains("sequence 7"), "\(error)")
    }

    // Few tokens and many values: one gradient; many tokens: one a block, which reads them once.
    @Test func theCheaperWayIsTaken() {
        let many = AttentionArchitecture(width: 128, outputs: 1000, heads: 64)
        #expect(many.isFasterJointly(tokens: 400, blocks: 32))
        #expect(
            !AttentionArchitecture(width: 128, outputs: 128, heads: 12).isFasterJointly(
                tokens: 552_000, blocks: 32))
        #expect(
            !AttentionArchitecture(width: 128, outputs: 1, heads: 64).isFasterJointly(tokens: 1, blocks: 1))
    }
}
