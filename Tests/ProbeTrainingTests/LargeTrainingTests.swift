import AttentionProbes
@testable import ProbeTraining
import Foundation
import Synchronization
import TestSupport
import Testing

@Suite("Trainings that take long")
struct LargeTrainingTests {
    private func options(_ optimizer: Optimizer) -> TrainingOptions {
        var options = TrainingOptions(optimizer)
        (options.epochs, options.threads, options.batchSize) = (4, 1, 10)
        return options
    }

    // Interrupted in some later step of the first epoch, of 12 steps.
    private func interrupted(
        after steps: Int, _ data: ActivationSet, validation: ActivationSet? = nil
    ) throws -> Trainer.Result {
        // Asked before each part of the tokens is measured, then before each step and each of its ten sequences.
        let questions = Mutex(0)
        let before = Objective.blocks(data.indices.map { data.length($0) }).count
        return try Trainer(.attention(heads: 2), options: options(.adamw)).fit(
            data, validation: validation,
            isInterrupted: {
                questions.withLock {
                    $0 += 1
                    return $0 > before + 11 * steps
                }
            })
    }

    @Test func stepsOfAnUnfinishedEpochAreSaved() throws {
        let data = try needleSet(count: 120)
        let (early, later) = (try interrupted(after: 2, data), try interrupted(after: 7, data))
        for result in [early, later] {
            let best = try #require(result.best)
            #expect(result.stop == .interrupted && result.history.count == 1 && best.epoch == 1)
            #expect(best.fraction > 0 && best.fraction < 1 && best.loss.isFinite)
        }
        #expect(early.best!.fraction < later.best!.fraction)
        #expect(early.probe.parameters != later.probe.parameters)
        #expect(try interrupted(after: 7, data).probe.parameters == later.probe.parameters)
        let held = try interrupted(after: 7, data, validation: needleSet(count: 20, seed: 5))
        #expect(try #require(held.best?.validationLoss).isFinite)
    }

    @Test func nothingIsSavedWhereNothingWasDone() throws {
        let data = try needleSet(count: 120)
        #expect(throws: CancellationError.self) {
            try Trainer(.attention(heads: 2)).fit(data, isInterrupted: { true })
        }
    }

    // L-BFGS is asked in the middle of a pass too, and keeps the iteration before.
    @Test func anUnfinishedIterationIsLeftOut() throws {
        let data = try needleSet(count: 120)
        let isOver = Mutex(false)
        let result = try Trainer(.attention(heads: 2), options: options(.lbfgs)).fit(
            data,
            progress: { report in if report.epoch == 2 { isOver.withLock { $0 = true } } },
            isInterrupted: { isOver.withLock { $0 } })
        #expect(result.stop == .interrupted && result.best?.epoch == 2 && result.best?.fraction == 1)
    }

    // A page that a thread sees for the first time is a fault. Here the allocator gives whatever has 32 kB pages of its own,
    // as it does with large arrays anyway: those that a step asks for show.
    // With several classes a step has one gradient, with two one for each of its eight sequences.
    @Test(arguments: [(40, 30, 64), (1, 2000, 64), (60, 100, 2)])
    func stepsUseTheMemoryThatTheyHave(shape: (heads: Int, width: Int, classes: Int)) throws {
        let sequences = (0..<96).map { randomFloats(3 * shape.width, seed: UInt64($0)) }
        let data = try ActivationSet([
            ActivationFile(
                RaggedBatch(sequences, width: shape.width),
                targets: .classes(sequences.indices.map { $0 % shape.classes }),
                classes: (0..<shape.classes).map { "c\($0)" })
        ])
        // No module has <malloc.h>; -3 is M_MMAP_THRESHOLD.
        typealias Setter = @convention(c) (Int32, Int32) -> Int32
        let mallopt = unsafe unsafeBitCast(try #require(unsafe dlsym(nil, "mallopt")), to: Setter.self)
        _ = mallopt(-3, 1 << 15)
        defer { _ = mallopt(-3, 1 << 25) }
        let faults = Mutex([Int]())
        var options = options(.adamw)
        (options.epochs, options.batchSize, options.tokenDropout) = (2, 8, 0)
        _ = try Trainer(.attention(heads: shape.heads), options: options).fit(
            data,
            isInterrupted: {
                var usage = rusage()
                unsafe getrusage(1, &usage)  // RUSAGE_THREAD
                faults.withLock { $0.append(usage.ru_minflt) }
                return false
            })
        // Asked before each part of the tokens is measured, then as often in each of 12 steps. Of the later steps of the
        // first epoch the one with the fewest: others may meet what the system does besides.
        let seen = faults.withLock { $0 }
        let before = Objective.blocks(data.indices.map { data.length($0) }).count
        let questions = (seen.count - before) / 24
        #expect(seen.count == before + 24 * questions && questions > 1)
        let least = (6..<11).map { seen[before + ($0 + 1) * questions] - seen[before + $0 * questions] }
            .min()!
        // The rows that multiply tokens are laid out for the product once a step.
        let rows = shape.classes == 2 ? 2 * shape.heads : shape.heads
        #expect(least < 8 + rows * shape.width * 4 / 4096, "\(least) faults")
    }
}
