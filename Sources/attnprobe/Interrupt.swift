import Dispatch
import Foundation
import Synchronization

/// Ctrl-C and SIGTERM as a request: the first asks the work to stop at its next step, a second ends
/// the process at once. Listens as long as it lives.
final class Interrupt {
    /// Whether one has come; may be asked from any thread.
    final class Flag: Sendable {
        private let value = Atomic(false)
        var isSet: Bool { value.load(ordering: .relaxed) }
        fileprivate func set() -> Bool { value.exchange(true, ordering: .relaxed) }
    }

    let flag = Flag()
    private let sources: [any DispatchSourceSignal]

    init() {
        sources = [SIGINT, SIGTERM].map { number in
            // The default action would end the process before the source is asked.
            signal(number, SIG_IGN)
            return DispatchSource.makeSignalSource(signal: number, queue: .global(qos: .userInteractive))
        }
        for source in sources {
            source.setEventHandler { [flag] in
                if flag.set() { exit(130) }
            }
            source.resume()
        }
    }
}
