import AttentionProbesHeader
import AttentionProbes
import FoundationEssentials
import Glibc
import ProbeCommands
import Synchronization

/// A caller's callback as what a piece of work tells and asks.
@safe final class Callback: Sendable {
    private struct State {
        var notes: [String] = []
        var lastAsked = 0.0
        var mustStop = false
    }
    private let function: ap_progress?
    private nonisolated(unsafe) let context: UnsafeMutableRawPointer?
    // Held while the caller's function runs: work on several threads tells and asks, the caller hears one at a time.
    private let turn = Mutex(())
    // The caller's thread, in which alone it is asked.
    private let thread = pthread_self()
    private let state = Mutex(State())

    init(_ function: ap_progress?, _ context: UnsafeMutableRawPointer?) {
        unsafe (self.function, unsafe self.context) = unsafe (function, unsafe context)
    }

    /// What was said on the way.
    var notes: [String] { state.withLock { $0.notes } }

    var watch: Watch {
        Watch(
            note: { note in self.state.withLock { $0.notes.append(note) } },
            progress: { self.tell($0) },
            isInterrupted: { self.ask() })
    }

    private func tell(_ progress: WorkProgress) {
        guard let function = unsafe function, let json = try? ProgressReport(progress).json() else { return }
        let stops = turn.withLock { _ in unsafe function(json, context) != 0 }
        if stops { state.withLock { $0.mustStop = true } }
    }

    // Asks at most every 20 ms, and not while the function runs, which may ask to stop itself.
    private func ask() -> Bool {
        let isOwn = pthread_equal(thread, pthread_self()) != 0
        let (mustStop, isDue) = state.withLock { state in
            let now = Self.seconds
            guard isOwn, now - state.lastAsked > 0.02 else { return (state.mustStop, false) }
            state.lastAsked = now
            return (state.mustStop, true)
        }
        guard !mustStop, isDue, let function = unsafe function else { return mustStop }
        guard turn.withLockIfAvailable({ _ in unsafe function(nil, context) != 0 }) ?? false else {
            return false
        }
        state.withLock { $0.mustStop = true }
        return true
    }

    private static var seconds: Double {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}

// What a callback is told.
private struct ProgressReport: Encodable {
    let phase: String
    let done, total: Int
    var epoch, epochs, number, count: Int?
    var loss, penalty, validation_loss: Double?
    var candidate: String?

    init(_ progress: WorkProgress) {
        switch progress {
        case .training(let report, let number, let count, _):
            phase = "training"
            (done, total) = (report.epoch, report.epochs)
            (epoch, epochs, self.number, self.count) = (report.epoch, report.epochs, number, count)
            (loss, penalty, validation_loss) = (report.loss, report.penalty, report.validationLoss)
        case .step(let step, let number, let count, _):
            phase = step.epoch == 0 ? "reading" : "step"
            (done, total, loss) = (step.done, step.total, step.loss)
            (epoch, epochs, self.number, self.count) = (step.epoch, step.epochs, number, count)
        case .selection(let report):
            phase = "selection"
            (done, total, candidate) = (report.done, report.total, report.name)
        case .scoring(let report):
            phase = "scoring"
            (done, total) = (report.done, report.data.count)
        }
    }
}
