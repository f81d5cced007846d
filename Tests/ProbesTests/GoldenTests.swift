import AttentionProbes
@testable import ProbeTraining
@testable import Probes
import TestSupport
import Testing

@Suite("Values from PyTorch autograd in float64")
struct GoldenTests {
    @Test(arguments: GoldenCase.names, AttentionPlan.allCases)
    func attentionAndOutputs(name: String, plan: AttentionPlan) throws {
        let golden = try GoldenCase(name)
        let data = try golden.data()
        let evaluator = golden.architecture(plan).evaluator(golden.parameters())
        var work = Workspace()
        var outputs: [Float] = []
        var attention: [Float] = []
        for index in data.indices {
            let n = data[index].count
            try TokenPass([evaluator], width: data.width).forward(data[index], &work)
            outputs += work.outputs
            // Golden attention is token by token, H to a row.
            for j in 0..<n { attention += (0..<golden.heads).map { work.attention[$0 * n + j] } }
        }
        #expect(relativeError(outputs, golden.floats("outputs")) < 1e-5)
        #expect(relativeError(attention, golden.floats("attention")) < 1e-5)
    }

    @Test(arguments: GoldenCase.names, AttentionPlan.allCases)
    func lossAndGradient(name: String, plan: AttentionPlan) throws {
        let golden = try GoldenCase(name)
        let expected = golden.parameters(prefix: "grad.")
        var results: [(loss: Double, gradient: [Float])] = []
        for threads in [1, 2] {
            let objective = Objective(
                golden.architecture(plan), try golden.data(), golden.task, threads: threads)
            let result = try objective.gradient(golden.parameters())
            #expect(abs(result.loss - golden.loss) <= 1e-5 * golden.loss)
            #expect(relativeError(result.gradient, expected) < 1e-4)
            results.append(result)
        }
        #expect(results[0] == results[1], "other bits on two threads")
    }
}
