private import Glibc
private import Synchronization

/// Signals that ask the process to end, taken as requests: Ctrl-C, SIGTERM and SIGHUP.
///
/// The first asks the work to stop at its next step, another a second later or more ends the process at once with
/// status 130. (`timeout` sends two at a time: to its child, and to their group.) Handled where they arrive, without
/// a thread, which may not be to be had.
///
/// For programs; a library leaves signals alone.
package enum EndSignals {
    /// Whether one has come; may be asked from any thread.
    package static var isSet: Bool { firstTime.load(ordering: .relaxed) != 0 }

    /// Listens from now on. Where the process was started with SIGHUP ignored, as by `nohup`, that stays so.
    package static func listen() {
        _ = isSet
        _ = farewell.load(ordering: .relaxed)
        handle(SIGALRM) { _ in end() }
        for number in [SIGINT, SIGTERM] + (isIgnored(SIGHUP) ? [] : [SIGHUP]) {
            handle(number) { _ in
                let now = nanoseconds()
                let first = firstTime.compareExchange(
                    expected: 0, desired: now, ordering: .relaxed
                ).original
                if first == 0 {
                    alarm(patience)
                } else if now - first >= 1_000_000_000 * Int(patience) {
                    _exit(130)
                }
            }
        }
    }

    /// Says what to write to standard error if the process is ended because the work has not stopped a second after
    /// the first signal, as in a long computation that asks for none; nil where that would lose what is not on disk.
    package static func mayEnd(_ text: String?) {
        texts.withLock { last in
            guard last != text else { return }
            last = text
            // Never given back, as a handler may be reading it; there are few.
            var address = 0
            if let text {
                let (bytes, size) = (Array(text.utf8), MemoryLayout<Int>.size)
                let memory = UnsafeMutableRawBufferPointer.allocate(
                    byteCount: size + bytes.count, alignment: size)
                unsafe memory.storeBytes(of: bytes.count, as: Int.self)
                for (i, byte) in bytes.enumerated() { unsafe memory[size + i] = byte }
                address = Int(bitPattern: memory.baseAddress!)
            }
            farewell.store(address, ordering: .releasing)
        }
    }
}

private let patience: UInt32 = 1
// When the first came.
private let firstTime = Atomic(0)
// Where the length and the bytes of the text are; 0 for none.
private let farewell = Atomic(0)
private let texts = Mutex<String?>(nil)

private func end() {
    guard let text = unsafe UnsafeRawPointer(bitPattern: farewell.load(ordering: .acquiring)) else { return }
    _ = unsafe write(2, text + MemoryLayout<Int>.size, text.load(as: Int.self))
    _exit(130)
}

private func nanoseconds() -> Int {
    var time = timespec()
    _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
}

private func handle(_ number: Int32, _ handler: @convention(c) (Int32) -> Void) {
    var action = sigaction()
    action.sa_flags = SA_RESTART
    unsafe action.__sigaction_handler.sa_handler = handler
    _ = unsafe sigaction(number, &action, nil)
    // Who started the process may have held signals up.
    var own = sigset_t()
    _ = unsafe sigemptyset(&own)
    _ = unsafe sigaddset(&own, number)
    _ = unsafe pthread_sigmask(SIG_UNBLOCK, &own, nil)
}

private func isIgnored(_ number: Int32) -> Bool {
    var action = sigaction()
    guard unsafe sigaction(number, nil, &action) == 0 else { return false }
    // SIG_IGN is 1, which is no function's address.
    return unsafe unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
}
