private import Tensors
import Storage

/// The elements of a tensor as a file has them: anywhere, in any order of dimensions, with the least or the most
/// significant byte first.
struct StoredElements {
    let file: ByteSource
    /// The byte where the first element is.
    let start: Int
    /// The type's name in safetensors; its elements have `size` bytes.
    let type: String
    let size: Int
    let shape: [Int]
    /// How many elements it is from one to the next of each dimension.
    let strides: [Int]
    var isBigEndian = false

    /// Strides of elements that lie in the order of their indices, the last dimension side by side.
    static func inOrder(_ shape: [Int]) -> [Int] {
        var strides = Array(repeating: 1, count: shape.count)
        for d in strides.indices.dropLast().reversed() { strides[d] = strides[d + 1] * max(1, shape[d + 1]) }
        return strides
    }

    private var count: Int { shape.reduce(1, *) }

    /// Whether the file has the elements as safetensors has them.
    private var isInOrder: Bool {
        guard !isBigEndian || size == 1, count > 0 else { return count == 0 }
        let wanted = Self.inOrder(shape)
        return shape.indices.allSatisfy { shape[$0] == 1 || strides[$0] == wanted[$0] }
    }

    /// The tensor: in place where the file has its elements in order, else put in order when it is looked at.
    ///
    /// - Precondition: the file holds all elements, and they are as many as the product of the sizes says.
    var tensor: TensorFile.Tensor {
        let bytes = count * size
        guard !isInOrder else {
            return TensorFile.Tensor(type: type, shape: shape, bytes: start..<start + bytes)
        }
        let elements = self
        let own = ByteSource(count: bytes, from: file) { range, piece in elements.copy(range, into: &piece) }
        return TensorFile.Tensor(type: type, shape: shape, bytes: 0..<bytes, own: own)
    }

    // The bytes of a range of the elements in order.
    private func copy(_ range: Range<Int>, into bytes: inout [UInt8]) {
        bytes.removeAll(keepingCapacity: true)
        bytes.reserveCapacity(range.count)
        // The last dimension varies fastest.
        var index = Array(repeating: 0, count: shape.count)
        var rest = range.lowerBound / size
        for d in shape.indices.reversed() {
            (rest, index[d]) = rest.quotientAndRemainder(dividingBy: shape[d])
        }
        var place = zip(index, strides).reduce(0) { $0 + $1.0 * $1.1 }
        let extent = zip(shape, strides).reduce(1) { $0 + ($1.0 - 1) * $1.1 }
        file.withBytes(start..<start + extent * size) { all in
            for _ in 0..<range.count / size {
                let first = place * size
                for k in 0..<size { bytes.append(all.byte(isBigEndian ? first + size - 1 - k : first + k)) }
                var d = shape.count - 1
                while d >= 0 {
                    index[d] += 1
                    place += strides[d]
                    guard index[d] == shape[d] else { break }
                    place -= shape[d] * strides[d]
                    index[d] = 0
                    d -= 1
                }
            }
        }
    }
}
