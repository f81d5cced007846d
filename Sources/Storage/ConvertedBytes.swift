private import Glibc

extension ByteSource {
    /// Bytes that are made of those of a file when they are looked at, as a file: kept in memory for a while, or where
    /// they are more than `ZipArchive.mostMemory` in a nameless file on disk that is mapped.
    ///
    /// - Parameters:
    ///   - count: how many there are.
    ///   - source: the file they are made of; messages call them by its path.
    ///   - make: fills an array with the bytes of a range, which starts at a multiple of 64 KB.
    package convenience init(
        count: Int, from source: ByteSource, memory: Int = ZipArchive.mostMemory,
        make: @escaping @Sendable (Range<Int>, inout [UInt8]) -> Void
    ) {
        let path = source.path
        let bytes = OnDemandBytes(count: count, kept: count > memory ? .spilled : .archives) { _, damage in
            unsafe HeldBytes(count: count, isPaged: count > memory) { buffer in
                guard buffer.count == count else {
                    damage.report(.noRoom(SystemError(operation: "map", path: path, code: ENOMEM)))
                    return false
                }
                do throws(SystemError) {
                    let spill = count > memory ? try SpillFile() : nil
                    var piece: [UInt8] = []
                    for start in stride(from: 0, to: count, by: 1 << 18) {
                        guard source.presentLength ?? source.count == source.count else {
                            damage.report(.cut)
                            return false
                        }
                        let range = start..<min(count, start + 1 << 18)
                        make(range, &piece)
                        precondition(piece.count == range.count, "\(piece.count) bytes for \(range)")
                        if let loss = source.damage {
                            damage.report(loss)
                            return false
                        }
                        if let spill {
                            try unsafe spill.write(piece.span.bytes, at: start)
                        } else {
                            unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[range])
                                .copyBytes(from: piece)
                        }
                    }
                    unsafe try spill?.map(over: buffer)
                    return true
                } catch {
                    damage.report(.noRoom(error))
                    return false
                }
            }
        }
        self.init(path: path, count: count, bytes: bytes)
    }
}
