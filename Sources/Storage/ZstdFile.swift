private import CZstd
private import Glibc

/// Files that zstd has packed (RFC 8878), one frame or several.
///
/// Only unpacking says how many bytes such a file holds, so it is unpacked when it is opened: into memory, or from
/// `ZipArchive.mostMemory` on into a nameless file on disk that is mapped. What it unpacks to is bounded, whatever its
/// header states: a small file cannot fill the disk.
package enum ZstdFile {
    /// Why a file cannot be unpacked.
    package enum Fault: Error, Equatable {
        /// What libzstd says of it, and before which of its bytes.
        case damaged(String, place: Int)
        /// It unpacks to more than this.
        case tooLarge(Int)
        /// There is no place to unpack it in.
        case noRoom(SystemError)
    }

    /// What it begins with.
    package static let mark: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD]

    /// A file may unpack to so many times its size, or to `mostOfAny`.
    package static let largestRatio = 200
    /// Any file may unpack to so much: a mask of ones has hardly a byte of its own.
    package static let mostOfAny = 256 << 20

    // How far back a file may refer, as a power of 2: what zstd takes without being asked for more, 128 MB.
    private static let window: Int32 = 27

    private static let ending = ".zst"

    /// The name of what such a file holds: "x.pt" of "x.pt.zst". The same name for others.
    package static func nameUnpacked(_ name: String) -> String {
        let (bytes, ending) = (Array(name.utf8), Array(ending.utf8))
        guard bytes.count > ending.count, bytes.suffix(ending.count) == ending[...] else { return name }
        return String(decoding: bytes.dropLast(ending.count), as: UTF8.self)
    }

    /// The name of such a file for what it holds.
    package static func namePacked(_ name: String) -> String { name + ending }

    /// Whether a file is one.
    package static func recognises(_ file: ByteSource) -> Bool {
        file.count >= mark.count && file.bytes(0..<mark.count) == mark
    }

    /// Its bytes unpacked, kept as those of archives are. O(bytes).
    ///
    /// - Parameter memory: up to so many bytes are unpacked into memory.
    /// - Throws: `Fault`.
    package static func unpacked(_ file: ByteSource, memory: Int = ZipArchive.mostMemory) throws(Fault)
        -> ByteSource
    {
        let whole = try held(file, memory)
        let count = whole.count
        let kept: KeptBytes = count > memory ? .spilled : .archives
        let bytes = OnDemandBytes(count: count, whole: whole, kept: kept) { _, damage in
            do throws(Fault) {
                guard file.presentLength ?? file.count == file.count else {
                    throw .damaged("a file that was cut while it was read", place: file.count)
                }
                let again = try held(file, memory)
                guard again.count == count else {
                    throw .damaged("a file that was changed while it was read", place: 0)
                }
                return again
            } catch {
                damage.report(error.loss)
                return unsafe HeldBytes(count: count, isPaged: count > memory) { _ in false }
            }
        }
        return ByteSource(path: file.path, count: count, bytes: bytes)
    }

    private static func held(_ file: ByteSource, _ memory: Int) throws(Fault) -> HeldBytes {
        let (ratioed, isMore) = file.count.multipliedReportingOverflow(by: largestRatio)
        var unpacked = UnpackedBytes(memory: memory, most: isMore ? .max : max(ratioed, mostOfAny))
        try file.withBytes(0..<file.count) { (packed) throws(Fault) in
            try unsafe packed.withUnsafeBytes { (packed) throws(Fault) in
                // Both stand for no number: it is not stated, or there is no such header.
                let stated =
                    unsafe Int(exactly: ZSTD_getFrameContentSize(packed.baseAddress, packed.count)) ?? 0
                try unpacked.expect(stated)
                try unsafe unpack(packed, into: &unpacked)
                // libzstd does not look at it where the last block is empty.
                guard unpacked.count >= stated else {
                    throw .damaged("fewer bytes than it states", place: packed.count)
                }
            }
        }
        return try unpacked.held()
    }

    private static func unpack(_ packed: UnsafeRawBufferPointer, into unpacked: inout UnpackedBytes)
        throws(Fault)
    {
        guard let context = unsafe ZSTD_createDCtx() else {
            throw .noRoom(SystemError(operation: "unpack", path: "a file", code: ENOMEM))
        }
        defer { unsafe ZSTD_freeDCtx(context) }
        _ = unsafe ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, window)
        let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 64)
        defer { unsafe piece.deallocate() }
        var input = unsafe ZSTD_inBuffer(src: packed.baseAddress, size: packed.count, pos: 0)
        while true {
            var output = unsafe ZSTD_outBuffer(dst: piece.baseAddress, size: piece.count, pos: 0)
            let rest = unsafe ZSTD_decompressStream(context, &output, &input)
            guard ZSTD_isError(rest) == 0 else {
                throw .damaged(unsafe String(cString: ZSTD_getErrorName(rest)), place: unsafe input.pos)
            }
            try unsafe unpacked.add(UnsafeRawBufferPointer(rebasing: piece[..<output.pos]))
            guard unsafe input.pos == input.size, unsafe output.pos < output.size || rest == 0 else {
                continue
            }
            // 0 at the end of a frame.
            guard rest == 0 else { throw .damaged("a file that is cut short", place: packed.count) }
            return
        }
    }
}

extension ZstdFile.Fault {
    fileprivate var loss: ZipArchive.Loss {
        switch self {
        case .damaged(let reason, _): .damaged(reason)
        case .tooLarge(let most): .damaged("more than \(most) bytes unpacked")
        case .noRoom(let error): .noRoom(error)
        }
    }
}

// What comes out, one piece after the other: in memory, and from a size on in a file.
private struct UnpackedBytes {
    private let memory: Int
    private let most: Int
    private var bytes: [UInt8] = []
    private var spill: SpillFile?
    private var room = Int.max
    private(set) var count = 0

    init(memory: Int, most: Int) { (self.memory, self.most) = (memory, most) }

    /// Says how many bytes there will be, as far as that is known.
    mutating func expect(_ stated: Int) throws(ZstdFile.Fault) {
        guard stated <= most else { throw .tooLarge(most) }
        if stated <= memory {
            bytes.reserveCapacity(stated)
        } else {
            try startSpilling(stated)
        }
    }

    mutating func add(_ piece: UnsafeRawBufferPointer) throws(ZstdFile.Fault) {
        guard piece.count <= most - count else { throw .tooLarge(most) }
        if spill == nil, count + piece.count > memory { try startSpilling(count + piece.count) }
        guard let spill else {
            unsafe bytes.append(contentsOf: piece)
            count += piece.count
            return
        }
        guard piece.count <= room - count else { throw noRoom }
        do throws(SystemError) {
            try unsafe spill.write(RawSpan(_unsafeBytes: piece), at: count)
        } catch {
            throw .noRoom(error)
        }
        count += piece.count
    }

    private var noRoom: ZstdFile.Fault {
        .noRoom(SystemError(operation: "write", path: "a file in \(SpillFile.folder)", code: ENOSPC))
    }

    private mutating func startSpilling(_ wanted: Int) throws(ZstdFile.Fault) {
        room = SpillFile.freeBytes
        guard wanted <= room else { throw noRoom }
        do throws(SystemError) {
            let file = try SpillFile()
            try unsafe file.write(bytes.span.bytes, at: 0)
            spill = file
        } catch {
            throw .noRoom(error)
        }
        bytes = []
    }

    /// All of them.
    func held() throws(ZstdFile.Fault) -> HeldBytes {
        guard let spill, count > 0 else {
            return unsafe HeldBytes(count: count) {
                unsafe $0.copyBytes(from: bytes)
                return true
            }
        }
        var fault: SystemError?
        let held = unsafe HeldBytes(count: count, isPaged: true) { buffer in
            guard buffer.count == count else {
                fault = SystemError(operation: "map", path: "a file in \(SpillFile.folder)", code: ENOMEM)
                return false
            }
            do throws(SystemError) {
                try unsafe spill.map(over: buffer)
                return true
            } catch {
                fault = error
                return false
            }
        }
        if let fault { throw .noRoom(fault) }
        return held
    }
}
