import AttentionProbes
@testable import ProbeTraining
import Probes
import Synchronization
import TestSupport
import Tensors
import Testing

@Suite("How far an evaluation is, and where it is interrupted")
struct TrainingStepTests {
    // 600 sequences of 10 tokens, D = 4096: more than the 64 MB from which an evaluation tells of itself.
    private let data: ActivationSet

    init() throws {
        let row = randomFloats(4096, seed: 1)
        let states = (0..<6000).flatMap { token in row.map { $0 + Float(token % 7) } }
        let batch = try RaggedBatch(
            tokens: TokenMatrix(states, columns: 4096), offsets: (0...600).map { 10 * $0 })
        data = try ActivationSet([
            ActivationFile(batch, targets: .classes((0..<600).map { $0 % 2 }), classes: ["a", "b"])
        ])
    }

    // Every sequence is told of once, whatever the order in which threads come to the end.
    @Test func everySequenceIsTold() throws {
        let told = Told()
        var objective = Objective(
            ProbeConfiguration(.attention).architecture(width: 4096, outputs: 1), data, try data.task(),
            threads: 2)
        objective.told = told.add
        let parameters = randomFloats(objective.architecture.tensors.parameterCount, seed: 1, scale: 0.01)
        _ = try objective.gradient(parameters)
        #expect(
            told.numbers.max() == 600 && told.numbers.count > 4
                && Set(told.numbers).count == told.numbers.count)
        objective.isInterrupted = { told.numbers.count > 6 }
        #expect(throws: CancellationError.self) {
            for _ in 0..<3 { _ = try objective.gradient(parameters) }
        }
    }

    @Test func linearEvaluationsTellAndEnd() throws {
        let told = Told()
        let states = Matrix(rows: 3000, columns: 4096)
        var objective = LinearObjective(
            states, .classes((0..<3000).map { $0 % 2 }), .binary(classes: ["a", "b"]), weights: nil,
            threads: 2)
        objective.told = told.add
        let parameters = [Double](repeating: 0, count: 4097)
        _ = try objective.gradient(parameters)
        #expect(told.numbers.max() == 3000 && told.numbers.count == 32)
        objective.isInterrupted = { true }
        #expect(throws: CancellationError.self) { try objective.gradient(parameters) }
    }

    // Parts of the step that is under way count as such parts of all steps.
    @Test func partsAreOfTheStepUnderWay() async throws {
        let steps = Mutex<[TrainingStep]>([])
        let teller = StepTeller { step in steps.withLock { $0.append(step) } }
        teller.part(1, of: 2)
        try await Task.sleep(for: .milliseconds(600))
        teller.part(1, of: 2)
        let none = steps.withLock { $0.isEmpty }
        #expect(none)
        teller.begin(TrainingStep(epoch: 2, epochs: 4, done: 3, total: 5, loss: 0.5))
        teller.part(30, of: 60)
        let told = steps.withLock { $0 }
        let step = try #require(told.first)
        #expect(step.epoch == 2 && step.done == 3 * 60 + 30 && step.total == 300 && step.loss == 0.5)
        #expect(abs(step.fraction - (1 + 0.7) / 4) < 1e-12)
    }
}

private final class Told: Sendable {
    private let all = Mutex<[Int]>([])

    var numbers: [Int] { all.withLock { $0 } }

    @Sendable func add(_ done: Int, _ total: Int) { all.withLock { $0.append(done) } }
}
