internal import Glibc
private import Synchronization

/// A file that is open for reading, as long as somebody holds it.
final class Descriptor: Sendable {
    let number: Int32
    private let isCounted = Atomic(false)

    init(_ path: String) throws(SystemError) {
        // Else a pipe that nobody writes would hold the program up; files do not mind.
        let flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK
        number = try Int32(checked(Int(PathCalls.open(path, flags)), "open", path))
    }

    deinit {
        close(number)
        if isCounted.load(ordering: .relaxed) { Self.keptCount.subtract(1, ordering: .relaxed) }
    }

    func status(_ path: String) throws(SystemError) -> stat {
        var status = stat()
        _ = try unsafe checked(Int(fstat(number, &status)), "read", path)
        return status
    }

    // Reads from a place until the buffer is full; false where the file ends before, or fails.
    func read(into bytes: UnsafeMutableRawBufferPointer, from start: Int = 0) -> Bool {
        var done = 0
        while done < bytes.count {
            errno = 0
            let found = unsafe pread(
                number, bytes.baseAddress! + done, bytes.count - done, off_t(start + done))
            if found == -1, errno == EINTR { continue }
            guard found > 0 else { return false }
            done += found
        }
        return true
    }

    /// Whether another process holds a lock that keeps readers out.
    var isLocked: Bool {
        guard flock(number, LOCK_SH | LOCK_NB) == 0 else { return errno == EWOULDBLOCK }
        flock(number, LOCK_UN)
        return false
    }

    private static let keptCount = Atomic(0)
    // Half of what the process may have, asked once.
    private static let mostKept: Int = {
        var limit = rlimit()
        return unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
            ? Int(clamping: limit.rlim_cur / 2) : 0
    }()

    /// Asks to stay open for long, which not all can; true if it may.
    func keep() -> Bool {
        guard Self.keptCount.add(1, ordering: .relaxed).newValue <= Self.mostKept else {
            Self.keptCount.subtract(1, ordering: .relaxed)
            return false
        }
        isCounted.store(true, ordering: .relaxed)
        return true
    }
}

/// Opens nothing in the place of standard input, output and error where these are closed: the next file that is opened would
/// have their number, and be taken for them. To read or write there stays an error. For programs, at their start.
package func occupyStandardDescriptors() {
    for (number, flags) in [(STDIN_FILENO, O_WRONLY), (STDOUT_FILENO, O_RDONLY), (STDERR_FILENO, O_RDONLY)]
    where fcntl(number, F_GETFD) == -1 {
        // The lowest number that is free, which is this one.
        _ = PathCalls.open("/dev/null", flags)
    }
}

/// Lets the process have as many files open as the system allows it: thousands of small files then are
/// opened once. For programs, at their start.
///
/// - Throws: `SystemError` where that is too few to do anything: threads, an input and an output take some each, and where
///   the last cannot be opened the work is lost.
package func raiseOpenFileLimit() throws(SystemError) {
    var limit = rlimit()
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    let fewest = 16
    if limit.rlim_max < fewest {
        throw SystemError(operation: "open", path: "\(fewest) files at a time", code: EMFILE)
    }
}

/// Makes room for so many more open files at once. The system else doubles a process's table step by step,
/// and where there are threads each step waits for all of them: opening 10,000 files took twice as long.
package func reserveOpenFiles(_ count: Int) {
    var limit = rlimit()
    guard count > 256, let anything = try? Descriptor("/"),
        unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
    else { return }
    let last = fcntl(
        anything.number, F_DUPFD_CLOEXEC, Int32(clamping: min(count, Int(clamping: limit.rlim_cur / 2))))
    if last != -1 { close(last) }
}
