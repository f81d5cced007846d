import Foundation
import Synchronization

/// Ctrl-C as a request: the first one asks the work to stop at the next step, a second one ends the
/// process at once.
enum Interrupt {
    private static let isRequested = Atomic(false)

    /// From now on, catches SIGINT and SIGTERM.
    static func listen() {
        isRequested.store(false, ordering: .relaxed)
        let handler: @convention(c) (Int32) -> Void = { _ in
            if Interrupt.isRequested.exchange(true, ordering: .relaxed) { _exit(130) }
        }
        signal(SIGINT, handler)
        signal(SIGTERM, handler)
    }

    /// Whether one has come.
    static var isPending: Bool { isRequested.load(ordering: .relaxed) }
}
