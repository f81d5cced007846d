import AttentionProbes
import TestSupport
import Testing

@Suite("Trainings that fit into no memory")
struct TrainingMemoryTests {
    private let huge = ProbeConfiguration.attention(heads: 4096, hidden: 1 << 24)

    @Test(arguments: [Optimizer.adamw, .lbfgs])
    func aTrainingIsRefused(optimizer: Optimizer) throws {
        let data = try needleSet(count: 20)
        let trainer = Trainer(huge, options: TrainingOptions(optimizer))
        let fault = try #require(#expect(throws: MemoryShortage.self) { try trainer.fit(data) })
        // Parameters, and as many numbers for their gradient and the optimiser's own.
        #expect(fault.needed > 2 * 4 * 4096 * 16 * Double(1 << 24))
        #expect(fault.needed > Double(fault.available.bytes))
        #expect("\(fault)".contains("\(fault.available), found at least "))
    }

    @Test func aSelectionAndAcomparisonAreRefused() throws {
        let data = try needleSet(count: 40)
        let task = try data.task()
        var selection = Selection(
            [.mean, huge].map { Candidate($0, .suited(to: $0.kind, task)) })
        selection.folds = 2
        selection.threads = 2
        let one = try #require(
            #expect(throws: MemoryShortage.self) { try Trainer(huge).checkMemory(data) })
        let both = try #require(#expect(throws: MemoryShortage.self) { try selection.run(data) })
        #expect(both.needed == 2 * one.needed && both.training.contains("2 trainings side by side"))
        let comparison = ProbeComparison(
            [
                ProbeComparison.Model(name: "mean", candidates: [selection.candidates[0]]),
                ProbeComparison.Model(name: "huge", candidates: [selection.candidates[1]]),
            ], selection: selection)
        #expect(throws: MemoryShortage.self) {
            try comparison.check(data, tests: [.init(name: "data", data: data)], task: task)
        }
    }

    /// A linear probe on pooled states keeps them, as they are and as it sees them, the outputs of all sequences and a
    /// gradient of each block; steps of more sequences than there are are whole passes.
    @Test func linearProbesAndBatchesOfAnySize() throws {
        let data = try needleSet(count: 40)
        let task = ProbeTask.regression(outputs: 1 << 20)
        var options = TrainingOptions(.lbfgs)
        options.epochs = 1
        func bytes(_ kind: ProbeKind) -> Double {
            Candidate(ProbeConfiguration(kind), options).trainingBytes(data, task, threads: 1)
        }
        let (count, width, outputs) = (40.0, 16.0, Double(1 << 20))
        let more = 8 * count * width + 8 * count * outputs + 8 * 32 * (width + 1) * outputs
        #expect(bytes(.mean) >= more && bytes(.mean) < 2 * more)
        options = TrainingOptions(.adamw)
        options.batchSize = 40
        let whole = bytes(.attention)
        options.batchSize = .max
        #expect(bytes(.attention) == whole)
    }

    /// An average keeps its probes, and scores of tokens are as many as heads and outputs.
    @Test func whatCounts() throws {
        let data = try needleSet(count: 20)
        func needed(_ configuration: ProbeConfiguration, average: Int = 1) throws -> Double {
            try #require(
                #expect(throws: MemoryShortage.self) {
                    try Trainer(configuration).checkMemory(data, average: average)
                }
            ).needed
        }
        let wide = ProbeConfiguration(.multimax, heads: 1 << 40)
        #expect(try needed(wide, average: 3) - needed(wide) == 6 * 4 * Double(17 << 40))
        #expect(try needed(ProbeConfiguration(.rollingAttention, heads: 1 << 40)) > needed(wide))
        #expect(try needed(ProbeConfiguration(.mlpAttention, units: 1 << 22)) > 4 * Double(1 << 44))
        #expect(throws: Never.self) { try Trainer(.attention()).checkMemory(data) }
    }
}
