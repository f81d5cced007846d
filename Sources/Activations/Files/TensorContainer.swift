// Kinds of files that hold named arrays. They are told apart by their first bytes, and never by their names but where a
// tool writes no mark at all. What has none of the marks is taken for safetensors, whose errors say what else it may be.
package import Storage

/// A kind of file that holds arrays.
package protocol TensorContainer: Sendable {
    /// What names of such files end with, as they are looked for in folders: ".npy". The first is what messages call them
    /// by.
    static var endings: [String] { get }
    /// What such files can begin with.
    static var marks: [[UInt8]] { get }
    /// Whether a file is of this kind, by its first bytes.
    static func recognises(_ file: ByteSource) -> Bool
    /// Finds the tensors of an open file.
    ///
    /// - Throws: `DataError` where it breaks the format.
    static func open(_ file: ByteSource) throws(DataError) -> TensorFile
}

/// All kinds, a line each.
let tensorContainers: [any TensorContainer.Type] = [
    Safetensors.self,
    TorchFile.self,
    MemmapFolder.self,
    LlamaEmbeddings.self,
    NumPyArray.self,
    NumPyArchive.self,
]

func tensorContainer(of file: ByteSource) -> any TensorContainer.Type {
    tensorContainers.first { $0.recognises(file) } ?? Safetensors.self
}

extension TensorContainer {
    /// What messages call such files by.
    static var ending: String { endings[0] }

    package static func recognises(_ file: ByteSource) -> Bool {
        let start = file.bytes(0..<min(8, file.count))
        return marks.contains { start.starts(with: $0) }
    }

    /// Opens a file as one of this kind.
    ///
    /// - Throws: `SystemError` where it cannot be read; `DataError` where it breaks the format.
    package static func open(path: String) throws -> TensorFile { try open(ByteSource(path: path)) }
}

/// A path's last part without its ending, as people write it: "runs/cmpl-7.safetensors" and "runs/cmpl-7.pt.zst" are "cmpl-7".
/// Of two names, each has a text of its own (`showingPathBytesUniquely`).
func fileStem(_ path: String) -> String {
    // By bytes: both marks are one, and no part of another character.
    let bytes = Array(ZstdFile.nameUnpacked(path).utf8)
    let start = bytes.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0
    let dot = bytes[start...].lastIndex(of: UInt8(ascii: "."))
    let end = dot.flatMap { $0 > start ? $0 : nil } ?? bytes.count
    return String(decoding: bytes[start..<end], as: UTF8.self).showingPathBytesUniquely()
}
