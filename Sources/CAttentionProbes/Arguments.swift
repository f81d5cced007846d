// Arguments of exported functions as values of the library, each checked before it is used.
import AttentionProbes
import AttentionProbesHeader
import Glibc
import Tensors

/// A text that must be there.
func text(_ pointer: UnsafePointer<CChar>?, _ name: String) throws(ArgumentError) -> String {
    guard let pointer = unsafe pointer else { throw ArgumentError(name, expected: "a text", found: "NULL") }
    guard let text = unsafe String(validatingCString: pointer) else {
        throw ArgumentError(name, expected: "UTF-8", found: "other bytes")
    }
    return text
}

/// A path that must be there, whatever its bytes are.
func pathText(_ pointer: UnsafePointer<CChar>?, _ name: String) throws(ArgumentError) -> String {
    guard let pointer = unsafe pointer else { throw ArgumentError(name, expected: "a text", found: "NULL") }
    return unsafe String(
        pathBytes: Array(UnsafeRawBufferPointer(start: pointer, count: strlen(pointer))))
}

/// A place for a result that must be there.
func place<T>(_ pointer: UnsafeMutablePointer<T>?, _ name: String) throws(ArgumentError)
    -> UnsafeMutablePointer<T>
{
    guard let pointer = unsafe pointer else {
        throw ArgumentError(name, expected: "a place for the result", found: "NULL")
    }
    return unsafe pointer
}

/// So many elements of an array that must be there.
func array<T>(_ pointer: UnsafePointer<T>?, _ count: Int64, _ name: String) throws(ArgumentError)
    -> UnsafeBufferPointer<T>
{
    guard count >= 0, count <= Int64(Int.max / max(1, MemoryLayout<T>.stride)) else {
        throw ArgumentError("\(name): count", expected: "0 or more", found: "\(count)")
    }
    guard unsafe count == 0 || pointer != nil else {
        throw ArgumentError(name, expected: "\(count) elements", found: "NULL")
    }
    return unsafe UnsafeBufferPointer(start: pointer, count: Int(count))
}

/// Bytes that must be there.
func bytes(_ pointer: UnsafeRawPointer?, _ size: Int, _ name: String) throws(ArgumentError) -> [UInt8] {
    guard size >= 0 else { throw ArgumentError("size", expected: "0 or more", found: "\(size)") }
    guard let pointer = unsafe pointer else {
        throw ArgumentError(name, expected: "\(size) bytes", found: "NULL")
    }
    return unsafe Array(UnsafeRawBufferPointer(start: pointer, count: size))
}

/// Threads of a call.
func threadCount(_ threads: Int32) throws(ArgumentError) -> Int {
    guard threads >= 0 else { throw ArgumentError("threads", expected: "0 or more", found: "\(threads)") }
    return threads == 0 ? Parallel.availableThreads : Int(threads)
}

/// Bytes as a mask: nil where there is none.
func tokenMask(_ pointer: UnsafePointer<UInt8>?, _ count: Int) -> [Bool]? {
    guard let pointer = unsafe pointer else { return nil }
    return unsafe UnsafeBufferPointer(start: pointer, count: count).map { $0 != 0 }
}

/// Gives a caller elements, and their number in any case.
func give<T: BitwiseCopyable>(
    _ elements: [T], _ room: UnsafeMutablePointer<T>?, capacity: Int64, _ name: String
) throws(ArgumentError) {
    guard let room = unsafe room else { return }
    guard capacity >= elements.count else {
        throw ArgumentError(name, expected: "room for \(elements.count) elements", found: "\(capacity)")
    }
    _ = unsafe UnsafeMutableBufferPointer(start: room, count: elements.count).update(fromContentsOf: elements)
}

extension ap_floats {
    /// Whether the numbers are wanted.
    var isWanted: Bool { unsafe values != nil }

    /// Refuses room for fewer than rows×columns numbers, where they are wanted.
    func check(_ name: String, _ rows: Int, _ columns: Int) throws(ArgumentError) {
        let (needed, overflow) = rows.multipliedReportingOverflow(by: columns)
        guard unsafe isWanted, unsafe overflow || count < Int64(needed) else { return }
        throw ArgumentError(
            name, expected: "room for \(rows)×\(columns) numbers", found: "\(unsafe count)")
    }

    /// The numbers of a caller as rows×columns, all finite.
    ///
    /// - Precondition: they are there.
    func matrix(_ name: String, _ rows: Int, _ columns: Int) throws(ArgumentError) -> Matrix {
        unsafe try check(name, rows, columns)
        let numbers = unsafe Array(UnsafeBufferPointer(start: values, count: rows * columns))
        if let bad = numbers.firstIndex(where: { !$0.isFinite }) {
            throw ArgumentError(
                "\(name): row \(bad / columns)", expected: "a finite number", found: "\(numbers[bad])")
        }
        return Matrix(rows: rows, columns: columns, storage: numbers)
    }

    /// Gives numbers from one on.
    ///
    /// - Precondition: `check` has passed for all that is given.
    func put(_ numbers: some Collection<Float>, at start: Int = 0) {
        guard let values = unsafe values else { return }
        _ = unsafe UnsafeMutableBufferPointer(start: values + start, count: numbers.count)
            .update(fromContentsOf: numbers)
    }
}

/// Gives a caller bytes, and their number in any case.
func giveBytes(
    _ content: [UInt8], _ room: UnsafeMutableRawPointer?, _ capacity: Int,
    _ size: UnsafeMutablePointer<Int>?
) throws(ArgumentError) {
    let size = try unsafe place(size, "size")
    unsafe size.pointee = content.count
    guard let room = unsafe room else { return }
    guard capacity >= content.count else {
        throw ArgumentError("bytes", expected: "room for \(content.count)", found: "\(capacity)")
    }
    unsafe UnsafeMutableRawBufferPointer(start: room, count: content.count).copyBytes(from: content)
}
