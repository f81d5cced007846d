private import Glibc
private import Synchronization

// What the handler needs, there before it is: it may call and allocate next to nothing.
private nonisolated(unsafe) var program: StaticString = ""
private nonisolated(unsafe) var buffer: UnsafeMutableRawBufferPointer?
private let isReporting = Atomic(false)

extension ByteSource {
    /// Makes the loss of mapped bytes an input error of the whole process: where a file is cut or its disk
    /// fails while it is read, the process names it on standard error and exits with status 74 instead of
    /// crashing.
    ///
    /// For programs, once, at their start; a library leaves signals alone.
    ///
    /// - Parameter name: the program's, which the line starts with.
    package static func exitWhenBytesAreLost(program name: StaticString) {
        unsafe program = name
        unsafe buffer = .allocate(byteCount: 2 * mostPath, alignment: 16)
        _ = isReporting.load(ordering: .relaxed)
        var action = sigaction()
        action.sa_flags = SA_SIGINFO
        unsafe action.__sigaction_handler.sa_sigaction = { _, info, _ in
            // Other threads that meet lost bytes wait for the end.
            while isReporting.exchange(true, ordering: .relaxed) { pause() }
            let address = unsafe info.map { unsafe UInt(bitPattern: $0.pointee._sifields._sigfault.si_addr) }
            let path = unsafe mappedPath(at: address ?? 0)
            say(unsafe program)
            say(": ")
            if unsafe path.isEmpty { say("an input file") }
            _ = unsafe write(2, path.baseAddress, path.count)
            say(": it was cut, or its disk failed, while it was read\n")
            _exit(74)
        }
        _ = unsafe sigaction(SIGBUS, &action, nil)
    }
}

private let mostPath = 4096

private func say(_ text: StaticString) { _ = unsafe write(2, text.utf8Start, text.utf8CodeUnitCount) }

// The file that is mapped at an address, from the system's table of lines such as
// "7f00a000-7f00f000 r--p 00000000 08:01 42   /data/train.safetensors"; empty where there is none.
private func mappedPath(at address: UInt) -> UnsafeRawBufferPointer {
    guard let buffer = unsafe buffer else { return unsafe UnsafeRawBufferPointer(start: nil, count: 0) }
    let table = unsafe open("/proc/self/maps", O_RDONLY | O_CLOEXEC)
    var (start, number, length): (UInt, UInt, Int) = (0, 0, 0)
    var (isNumber, isFound) = (true, false)
    while true {
        let count = unsafe read(table, buffer.baseAddress! + mostPath, mostPath)
        guard count > 0 else { break }
        for index in mostPath..<mostPath + count {
            let byte = unsafe buffer[index]
            switch byte {
            case 0x0A:
                if isFound { return unsafe UnsafeRawBufferPointer(rebasing: buffer[..<length]) }
                (number, isNumber) = (0, true)
            case 0x2D where isNumber: (start, number) = (number, 0)
            case 0x20 where isNumber:
                isFound = start <= address && address < number
                isNumber = false
            case _ where isNumber: number = number << 4 | UInt(byte & 0xF) &+ (byte > 0x39 ? 9 : 0)
            case _ where isFound && (length > 0 || byte == 0x2F) && length < mostPath:
                unsafe buffer[length] = byte
                length += 1
            default: break
            }
        }
    }
    return unsafe UnsafeRawBufferPointer(start: nil, count: 0)
}
