private import CZip
private import Glibc
private import Synchronization

/// The table of contents of a zip archive, and its members' bytes when they are looked at. Read by
/// libzip: members that are stored or deflated, in archives of any size.
package struct ZipArchive: Sendable {
    /// One member.
    package struct Member: Sendable {
        /// Its name in the archive.
        package let name: String
        /// Bytes unpacked, as the archive states.
        package let size: Int
        /// Bytes in the archive.
        package let packedSize: Int
        let index: UInt64
    }

    /// What kept bytes from being fetched.
    package enum Loss: Sendable {
        /// The file had fewer than when it was opened, or could not be read.
        case cut
        /// The archive is not what it was, or states what is not so.
        case damaged(String)
        /// There is no place to unpack them in.
        case noRoom(SystemError)
    }

    /// Why an archive cannot be read.
    package struct Fault: Error {
        /// What libzip says.
        package let reason: String
    }

    private let path: String
    private let identity: FileIdentity?
    /// The members, in the order of the archive.
    package let members: [Member]

    /// Reads the table of contents. O(members).
    ///
    /// - Throws: `Fault`.
    package init(path: String) throws(Fault) {
        self.path = path
        identity = FileIdentity(path: path)
        let archive = try OpenArchive(path)
        members = try archive.members()
    }

    /// The first bytes of some members, at most `count` of each, unpacked.
    ///
    /// - Throws: `Fault`.
    package func starts(of members: [Member], _ count: Int) throws(Fault) -> [[UInt8]] {
        let archive = try OpenArchive(path)
        var starts: [[UInt8]] = []
        for member in members {
            let count = min(count, member.size)
            let bytes = unsafe HeldBytes(count: count) {
                unsafe archive.read(member.index, of: member.size, into: $0)
            }
            if let reason = archive.lastFault { throw Fault(reason: reason) }
            starts.append(
                bytes.withBytes(0..<count) { bytes in unsafe bytes.withUnsafeBytes { unsafe Array($0) } })
        }
        return starts
    }

    /// Up to so many bytes are unpacked into memory; more into a file.
    package static let mostMemory = 64 << 20

    /// Where such a file is made, and the bytes that are free there.
    package static var room: (folder: String, bytes: Int) { (SpillFile.folder, SpillFile.freeBytes) }

    /// Some members as one file: unpacked when they are looked at, each from a multiple of 64 on; into memory,
    /// or where they are larger than `memory` altogether, into a nameless file on disk that is mapped.
    package func contents(of members: [Member], memory: Int = mostMemory) -> (file: ByteSource, starts: [Int])
    {
        var starts: [Int] = []
        var end = 0
        for member in members {
            starts.append((end + 63) / 64 * 64)
            end = starts[starts.count - 1] + member.size
        }
        let (path, identity, size, places) = (path, identity, end, starts)
        let bytes = OnDemandBytes(count: size, kept: size > memory ? .spilled : .archives) { _, damage in
            unsafe HeldBytes(count: size, isPaged: size > memory) { buffer in
                guard buffer.count == size else {
                    damage.report(.noRoom(SystemError(operation: "map", path: path, code: ENOMEM)))
                    return false
                }
                guard FileIdentity(path: path) == identity, let archive = try? OpenArchive(path) else {
                    damage.report(.damaged("a file that was replaced while it was read"))
                    return false
                }
                let spill: SpillFile?
                do throws(SystemError) {
                    spill = size > memory ? try SpillFile() : nil
                    for (member, start) in zip(members, places) {
                        let part = unsafe UnsafeMutableRawBufferPointer(
                            rebasing: buffer[start..<start + member.size])
                        let isRead =
                            if let spill {
                                try archive.read(member.index, of: member.size, into: spill, at: start)
                            } else {
                                unsafe archive.read(member.index, of: member.size, into: part)
                            }
                        guard isRead, archive.lastFault == nil else {
                            damage.report(
                                .damaged("\(member.name): \(archive.lastFault ?? "less than it states")"))
                            return false
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
        return (ByteSource(path: path, count: end, bytes: bytes), starts)
    }
}

// One open archive; used by one thread.
@safe private final class OpenArchive {
    private let handle: OpaquePointer
    private(set) var lastFault: String?

    init(_ path: String) throws(ZipArchive.Fault) {
        var code: Int32 = 0
        guard let handle = path.withPath({ unsafe zip_open($0, ZIP_RDONLY, &code) }) else {
            var error = unsafe zip_error_t()
            unsafe zip_error_init_with_code(&error, code)
            defer { unsafe zip_error_fini(&error) }
            throw ZipArchive.Fault(reason: unsafe String(cString: zip_error_strerror(&error)))
        }
        unsafe self.handle = handle
    }

    deinit { unsafe zip_discard(handle) }

    func members() throws(ZipArchive.Fault) -> [ZipArchive.Member] {
        var members: [ZipArchive.Member] = []
        for index in 0..<UInt64(max(0, unsafe zip_get_num_entries(handle, 0))) {
            var status = unsafe zip_stat_t()
            guard unsafe zip_stat_index(handle, index, 0, &status) == 0, let name = unsafe status.name,
                let size = unsafe Int(exactly: status.size),
                let packed = unsafe Int(exactly: status.comp_size)
            else { throw ZipArchive.Fault(reason: "a member without a name or size") }
            members.append(
                ZipArchive.Member(
                    name: unsafe String(cString: name), size: size, packedSize: packed, index: index))
        }
        return members
    }

    // Fills the buffer from the start of a member; where that is all of it, its checksum must be right.
    func read(_ index: UInt64, of size: Int, into bytes: UnsafeMutableRawBufferPointer) -> Bool {
        unsafe opened(index) { member in
            guard unsafe read(member, into: bytes) else { return false }
            return unsafe bytes.count < size || isAtEnd(member)
        }
    }

    // All of a member, a piece at a time.
    func read(_ index: UInt64, of size: Int, into spill: SpillFile, at place: Int) throws(SystemError) -> Bool
    {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 64)
        defer { unsafe buffer.deallocate() }
        var fault: SystemError?
        let isRead = unsafe opened(index) { member in
            for start in stride(from: 0, to: size, by: buffer.count) {
                let piece = unsafe UnsafeMutableRawBufferPointer(
                    rebasing: buffer[..<min(buffer.count, size - start)])
                guard unsafe read(member, into: piece) else { return false }
                do throws(SystemError) {
                    unsafe try spill.write(
                        RawSpan(_unsafeBytes: UnsafeRawBufferPointer(piece)), at: place + start)
                } catch {
                    fault = error
                    return false
                }
            }
            return unsafe isAtEnd(member)
        }
        if let fault { throw fault }
        return isRead
    }

    private func opened(_ index: UInt64, _ body: (OpaquePointer) -> Bool) -> Bool {
        guard let member = unsafe zip_fopen_index(handle, index, 0) else {
            lastFault = unsafe String(cString: zip_strerror(handle))
            return false
        }
        defer { unsafe zip_fclose(member) }
        return unsafe body(member)
    }

    private func read(_ member: OpaquePointer, into bytes: UnsafeMutableRawBufferPointer) -> Bool {
        var done = 0
        while done < bytes.count {
            let count = unsafe zip_fread(member, bytes.baseAddress! + done, UInt64(bytes.count - done))
            guard count > 0 else {
                lastFault =
                    count == 0 ? "less than it states" : unsafe String(cString: zip_file_strerror(member))
                return false
            }
            done += Int(count)
        }
        return true
    }

    // libzip compares the checksum when it meets the end.
    private func isAtEnd(_ member: OpaquePointer) -> Bool {
        var next: UInt8 = 0
        let more = unsafe zip_fread(member, &next, 1)
        guard more != 0 else { return true }
        lastFault = more > 0 ? "more than it states" : unsafe String(cString: zip_file_strerror(member))
        return false
    }
}
