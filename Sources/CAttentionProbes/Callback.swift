public import AttentionProbesHeader
import AttentionProbes
import FoundationEssentials
import Glibc
import ProbeCommands
import Synchronization

/// A caller's callback as what a piece of work tells and asks.
final class Callback: @unchecked Sendable {
    // Used in the thread that made it alone, but for `stop`.
    private let function: ap_progress?
    private let context: UnsafeMutableRawPointer?
    private let thread = pthread_self()
    private var lastAsked = 0.0
    private let stop = Atomic(false)
    /// What was said on the way.
    private(set) var notes: [String] = []

    init(_ function: ap_progress?, _ context: UnsafeMutableRawPointer?) {
        (self.function, unsafe self.context) = (function, unsafe context)
    }

    var watch: Watch {
        Watch(
            note: { self.notes.append($0) },
            progress: { self.tell($0) },
            isInterrupted: { self.ask() })
    }

    private func tell(_ progress: WorkProgress) {
        guard let function, let json = try? ProgressReport(progress).json() else { return }
        if unsafe function(json, context) != 0 { stop.store(true, ordering: .relaxed) }
    }

    // Asks at most every 20 ms, and in the thread of the caller alone.
    private func ask() -> Bool {
        if !stop.load(ordering: .relaxed), let function, pthread_equal(thread, pthread_self()) != 0 {
            let now = Self.seconds
            if now - lastAsked > 0.02 {
                lastAsked = now
                if unsafe function(nil, context) != 0 { stop.store(true, ordering: .relaxed) }
            }
        }
        return stop.load(ordering: .relaxed)
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
    var tokens: Int?

    init(_ progress: WorkProgress) {
        switch progress {
        case .training(let report, let number, let count, _):
            phase = "training"
            (done, total) = (report.epoch, report.epochs)
            (epoch, epochs, self.number, self.count) = (report.epoch, report.epochs, number, count)
            (loss, penalty, validation_loss) = (report.loss, report.penalty, report.validationLoss)
        case .selection(let report):
            phase = "selection"
            (done, total, candidate) = (report.done, report.total, report.name)
        case .scoring(let report):
            phase = "scoring"
            (done, total) = (report.done, report.data.count)
        }
    }
}
