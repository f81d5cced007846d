import Glibc
import Synchronization
import Testing

@testable import Storage
@testable import Tensors

@Suite("Bytes that are kept for a while")
struct KeptBytesTests {
    // Else files that a set of several layers had would stay in memory for the rest of the process.
    @Test func filesStayAsLongAsTheirClaim() {
        let many = 1 << 40
        var claim: KeptBytes.Claim? = KeptBytes.Claim(atLeast: many)
        #expect(claim != nil && KeptBytes.files.fewestKept == many)
        claim = nil
        #expect(KeptBytes.files.fewestKept < many)
    }

    // Else what was unpacked of a set, and its files, would stay for the rest of the process.
    @Test func bytesGoWithTheirOwner() {
        let kept = KeptBytes(most: 100, isByThread: false)
        weak var first: HeldBytes?
        func archive(_ count: Int, _ seen: (@Sendable () -> Void)? = nil) -> OnDemandBytes {
            OnDemandBytes(count: count, kept: kept) { _, _ in
                seen?()
                return unsafe HeldBytes(count: count) { _ in true }
            }
        }
        do {
            let bytes = unsafe HeldBytes(count: 60) { _ in true }
            first = bytes
            let owner = OnDemandBytes(count: 60, whole: bytes, kept: kept) { _, _ in bytes }
            owner.withBytes(0..<1) { _ in }
        }
        #expect(first == nil)
        // The room that they had is there again: neither of two that fit together is fetched twice.
        let fetches = Atomic(0)
        let counted = { @Sendable in _ = fetches.add(1, ordering: .relaxed) }
        let (second, third) = (archive(50, counted), archive(50, counted))
        for _ in 0..<3 { for owner in [second, third] { owner.withBytes(0..<1) { _ in } } }
        #expect(fetches.load(ordering: .relaxed) == 2)
    }

    // Threads that look at the same bytes have them once: unpacked they may be most of the memory.
    @Test func oneThreadFetches() throws {
        let fetches = Atomic(0)
        let bytes = OnDemandBytes(count: 40, kept: KeptBytes(most: 100, isByThread: false)) { _, _ in
            fetches.add(1, ordering: .relaxed)
            usleep(20_000)
            return unsafe HeldBytes(count: 40) { buffer in
                unsafe buffer.copyBytes(from: 0..<40)
                return true
            }
        }
        let last = try Parallel.map(count: 8, threads: 4) { _ in
            bytes.withBytes(39..<40) { unsafe $0.unsafeLoad(as: UInt8.self) }
        }
        #expect(last == Array(repeating: 39, count: 8) && fetches.load(ordering: .relaxed) == 1)
    }

    // The second makes room while the first is being fetched, as it does on another thread.
    @Test func bytesFetchedTogetherAreDropped() {
        let size = 200 << 20
        let kept = KeptBytes(most: 256 << 20, isByThread: false)
        func archive(_ fetch: @escaping @Sendable () -> HeldBytes) -> OnDemandBytes {
            OnDemandBytes(count: size, kept: kept) { _, _ in fetch() }
        }
        @Sendable func touch(_ archive: OnDemandBytes) { archive.withBytes(0..<1) { _ in } }
        final class Weak: Sendable {
            weak let bytes: HeldBytes?
            init(_ bytes: HeldBytes) { self.bytes = bytes }
        }
        let fetched = Mutex<[Weak]>([])
        let bytes = { @Sendable in
            let bytes = unsafe HeldBytes(count: 1) { _ in true }
            fetched.withLock { $0.append(Weak(bytes)) }
            return bytes
        }
        let (second, third) = (archive(bytes), archive(bytes))
        let first = archive {
            let own = bytes()
            touch(second)
            return own
        }
        touch(first)
        touch(third)
        #expect(fetched.withLock { $0.map { $0.bytes != nil } } == [false, false, true])
        withExtendedLifetime([first, second, third]) {}
    }

    // Six layers of 200 KB, each in a file of its own, have more together than stays of unrelated files.
    @Test func filesOfOneRowStayTogether() throws {
        let (rows, columns) = (100, 500)
        let reads = Atomic(0)
        func layer(_ name: Int) -> TokenMatrix {
            let size = rows * columns * 4
            let bytes = OnDemandBytes(count: size) { range, _ in
                reads.add(1, ordering: .relaxed)
                return unsafe HeldBytes(count: range.count) { _ in false }
            }
            let file = ByteSource(path: "\(name)", count: size, bytes: bytes)
            return TokenMatrix(file: file, offset: 0, elementType: .f32, rows: rows, columns: columns)
        }
        let states = try #require(TokenMatrix(beside: (0..<6).map(layer)))
        var scratch: [Float] = []
        for row in 0..<rows { states.withRows(row..<row + 1, scratch: &scratch) { _ in } }
        #expect(reads.load(ordering: .relaxed) == 6)
    }
}
