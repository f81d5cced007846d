// Three kinds of files hold named arrays. They are told apart by their first bytes, never by their
// names:
//
//     0x93 "NUMPY"     .npy, one array
//     "PK" 3 4         .npz, a zip archive of .npy files ("PK" 5 6: an empty one)
//     anything else    safetensors
internal import Tensors

/// A kind of file that holds arrays.
enum TensorContainer {
    case safetensors, npy, npz

    static let npyMark = [0x93] + Array("NUMPY".utf8)
    private static let zipMarks = [Array("PK\u{3}\u{4}".utf8), Array("PK\u{5}\u{6}".utf8)]

    /// Opens a file of any kind.
    ///
    /// - Throws: `SystemError` where it cannot be read; `DataError` where it breaks its format.
    static func open(_ path: String) throws -> (Safetensors, TensorContainer) {
        let file = try MappedFile(path: path)
        let start = file.bytes(0..<min(6, file.count))
        if start == npyMark { return (try NumPyArray.open(file), .npy) }
        if zipMarks.contains(where: { start.starts(with: $0) }) { return (try NumPyArchive.open(file), .npz) }
        return (try Safetensors(file), .safetensors)
    }
}

extension Safetensors {
    /// Opens a file of arrays of any kind: safetensors, .npy, whose array is called `hidden_states`, or .npz.
    ///
    /// - Throws: `SystemError` where it cannot be read; `DataError` where it breaks its format.
    public init(anyContainer path: String) throws { self = try TensorContainer.open(path).0 }
}

/// A path's last part without its ending: "runs/cmpl-7.safetensors" is "cmpl-7".
func fileStem(_ path: String) -> String {
    // By bytes: both marks are one, and no part of another character.
    let bytes = Array(path.utf8)
    let start = bytes.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0
    let dot = bytes[start...].lastIndex(of: UInt8(ascii: "."))
    let end = dot.flatMap { $0 > start ? $0 : nil } ?? bytes.count
    return String(decoding: bytes[start..<end], as: UTF8.self)
}
