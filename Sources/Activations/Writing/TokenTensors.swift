// Files of safetensors with rows of floats for every token beside what names sequences and tokens, as activation files
// have it.
private import Synchronization
internal import Tensors
package import Storage

/// Takes floats at their places, from several threads.
package protocol FloatSink: Sendable {
    /// Writes floats from a place on, counted in floats from the first of all tensors.
    func write(_ floats: [Float], at place: Int) throws
}

extension ActivationSet {
    /// Writes tensors of floats, T×… each, and `offsets`, `sequence_ids`, `token_ids` and `token_text` as far as the files
    /// have them.
    ///
    /// - Parameter body: writes all floats, in any order, tensor after tensor by their places.
    package func writeTokenTensors(
        metadata: [String: String], _ floats: [(name: String, shape: [Int])], to output: OutputFile,
        _ body: (any FloatSink) throws -> Void
    ) throws {
        let count = floats.reduce(0) { $0 + $1.shape.reduce(1, *) }
        try ActivationWriter(self, .f32, 1).write(metadata: metadata, floats, to: output) { output in
            try output.writeParts(4 * count) { parts in
                guard parts.areInOrder else { return try body(PlacedFloats(parts: parts)) }
                let all = HeldFloats(count: count)
                try body(all)
                try parts.write(all.floats.withLock(\.self), at: 0)
            }
        }
    }
}

private struct PlacedFloats: FloatSink {
    let parts: OutputParts
    func write(_ floats: [Float], at place: Int) throws { try parts.write(floats, at: 4 * place) }
}

// For pipes, which take bytes in their order only.
private final class HeldFloats: FloatSink {
    let floats: Mutex<[Float]>
    init(count: Int) { floats = Mutex(Array(repeating: 0, count: count)) }
    func write(_ part: [Float], at place: Int) throws {
        floats.withLock { $0.replace(at: place, with: part[...]) }
    }
}
