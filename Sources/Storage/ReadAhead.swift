private import Dispatch
private import Glibc
private import Synchronization

/// Reads parts of mapped files in the order of their use, in the background and a bounded distance
/// ahead of it, so that the arithmetic does not wait for the disk at every page.
///
/// Pages that are in memory already cost next to nothing. Faults of the disk are not reported here:
/// who needs the bytes meets them.
package final class ReadAhead: Sendable {
    /// Bytes of a file.
    package struct Part: Sendable {
        let file: ByteSource
        let bytes: Range<Int>

        /// - Precondition: the range lies inside the file.
        package init(_ file: ByteSource, _ bytes: Range<Int>) {
            self.file = file
            self.bytes = bytes
        }
    }

    // Enough to keep a disk busy, little beside the memory of a machine.
    private static let distance = 256 << 20
    private static let pieceSize = 16 << 20
    private final class State: Sendable {
        let used = Atomic(0)
        let isStopped = Atomic(false)
    }
    private let state = State()

    /// Starts reading; nothing happens where there is less to read than is worth a thread.
    package init(_ parts: [Part]) {
        let parts = Self.joined(parts)
        // Small files are read when they are looked at.
        guard parts.contains(where: \.file.isMapped),
            parts.reduce(0, { $0 + $1.bytes.count }) > Self.pieceSize
        else { return }
        // A queue of its own has a thread of its own, however long it waits.
        DispatchQueue(label: "attention-probes.read-ahead").async { [state] in Self.read(parts, state) }
    }

    /// Says that the next bytes in the order have been used.
    package func advance(_ bytes: Int) { state.used.add(bytes, ordering: .relaxed) }

    deinit { state.isStopped.store(true, ordering: .relaxed) }

    // Neighbours as one.
    private static func joined(_ parts: [Part]) -> [Part] {
        var joined: [Part] = []
        for part in parts {
            if let last = joined.last, last.file === part.file,
                last.bytes.upperBound == part.bytes.lowerBound
            {
                joined[joined.count - 1] = Part(part.file, last.bytes.lowerBound..<part.bytes.upperBound)
            } else {
                joined.append(part)
            }
        }
        return joined
    }

    private static func read(_ parts: [Part], _ state: State) {
        var done = 0
        for part in parts {
            for start in stride(from: part.bytes.lowerBound, to: part.bytes.upperBound, by: pieceSize) {
                let end = min(start + pieceSize, part.bytes.upperBound)
                while done > state.used.load(ordering: .relaxed) + distance {
                    if state.isStopped.load(ordering: .relaxed) { return }
                    usleep(500)
                }
                if state.isStopped.load(ordering: .relaxed) { return }
                // What is used already needs no reading.
                done += end - start
                guard done > state.used.load(ordering: .relaxed), part.file.isMapped else {
                    continue
                }
                part.file.populate(start..<end)
            }
        }
    }
}
