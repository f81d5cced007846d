private import Tensors
import Storage

/// The integers of a tensor, left in the mapped file and read one at a time: what a file says of its
/// tokens costs no memory until somebody asks.
struct IntegerColumn: Sendable {
    private let file: ByteSource
    private let bytes: Range<Int>
    private let isWide: Bool

    /// - Precondition: the tensor is I64 or I32.
    init(_ file: TensorFile, _ tensor: TensorFile.Tensor) {
        precondition(["I64", "I32"].contains(tensor.type), "\(tensor.type) is no integer type that is read")
        self.file = file.source(tensor)
        bytes = tensor.bytes
        isWide = tensor.type == "I64"
    }

    /// One element. O(1).
    subscript(index: Int) -> Int {
        let size = isWide ? 8 : 4
        let start = bytes.lowerBound + index * size
        return file.withBytes(start..<start + size) { bytes in
            isWide
                ? Int(Int64(littleEndian: load(bytes, as: Int64.self)))
                : Int(Int32(littleEndian: load(bytes, as: Int32.self)))
        }
    }
}
