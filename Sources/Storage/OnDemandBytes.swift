private import Synchronization

/// Bytes that are fetched when they are looked at and dropped some time later: thousands of small
/// files cost neither a mapping nor memory each.
package final class OnDemandBytes: Sendable {
    private struct State {
        var head: HeldBytes?
        var whole: HeldBytes?
        // Where all of them stand among those that are kept.
        var place: KeptBytes.Place?
    }
    private let state: Mutex<State>
    private let fetching = Mutex(())
    private let count: Int
    private let fetch: @Sendable (Range<Int>, Damage) -> HeldBytes
    private let damage = Damage()
    private let kept: KeptBytes

    /// What kept bytes from being fetched, at least once.
    var loss: ZipArchive.Loss? { damage.found }

    // As long as there is a head, parts up to this size are fetched alone: what is read of a file when it is
    // opened are its head and a few short tensors, often at its end.
    private static let shortPart = 1 << 16

    /// - Parameters:
    ///   - count: how many there are.
    ///   - head: bytes from the start that are there already.
    ///   - whole: all of them, where they are there already.
    ///   - fetch: gives a range of them: all, or where there is a head any other; and reports where it cannot.
    package init(
        count: Int, head: HeldBytes? = nil, whole: HeldBytes? = nil, kept: KeptBytes = .files,
        fetch: @escaping @Sendable (Range<Int>, Damage) -> HeldBytes
    ) {
        state = Mutex(State(head: head, whole: whole))
        self.count = count
        self.kept = kept
        self.fetch = fetch
        guard whole != nil else { return }
        kept.makeRoom(count)
        stay()
    }

    deinit { state.withLock { $0.place }?.leave() }

    /// Lends bytes. One thread fetches them all, and others wait for it.
    package func withBytes<R, E: Error>(_ range: Range<Int>, _ body: (RawSpan) throws(E) -> R) throws(E) -> R
    {
        let (there, hasHead) = state.withLock { state -> (HeldBytes?, Bool) in
            if let head = state.head, range.upperBound <= head.count { return (head, true) }
            return (state.whole, state.head != nil)
        }
        if let there { return try there.withBytes(range, body) }
        if hasHead, range.count <= Self.shortPart {
            return try fetch(range, damage).withBytes(0..<range.count, body)
        }
        let whole = fetching.withLock { _ in
            if let there = state.withLock({ $0.whole }) { return there }
            kept.makeRoom(count)
            let whole = fetch(0..<count, damage)
            state.withLock { $0.whole = whole }
            // Not before: who makes room meanwhile could not drop what is not there yet.
            stay()
            return whole
        }
        return try whole.withBytes(range, body)
    }

    func forgetHead() { state.withLock { $0.head = nil } }

    func forget() {
        state.withLock { state in (state.whole, state.place) = (nil, nil) }
    }

    private func stay() {
        let place = kept.add(self, count)
        state.withLock { $0.place = place }
    }
}

/// What went wrong when bytes were fetched, for who finds NaN in their place.
package final class Damage: Sendable {
    private let loss = Mutex<ZipArchive.Loss?>(nil)
    var found: ZipArchive.Loss? { loss.withLock { $0 } }
    func report(_ found: ZipArchive.Loss) { loss.withLock { $0 = $0 ?? found } }
}
