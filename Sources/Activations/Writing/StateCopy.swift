// Hidden states from files of any form to one flat tensor, in order. Sequences that lie side by side in one
// file and keep their type are copied by the system; the others are gathered and converted on all threads,
// each with a buffer of its own that it writes to its place itself.
internal import Tensors
import Storage

struct StateCopy {
    let data: ActivationSet
    let type: ElementType
    let threads: Int

    // Bytes that are worth a copy by the system, and a part of the work for one thread: of several parts of
    // the file, as its first and its last are not whole.
    private static let worthCopying = 1 << 20
    private static let chunkSize = 16 << 20
    // Numbers that are converted at a time, in the cache.
    private static let tile = 1 << 16
    // Bytes until progress and Ctrl-C are looked at, or more where there are many threads.
    private static let longestRun = 256 << 20

    private struct Chunk {
        let sequences: Range<Int>
        /// Where its first byte is in the tensor.
        let place: Int
    }

    /// Writes the states.
    ///
    /// - Returns: the scales of all tokens where the type has eight bits; none else.
    func write(to output: OutputFile, _ progress: (Range<Int>) throws -> Void) throws -> [Float] {
        var scales: [Float] = []
        let readAhead = data.readAhead(data.indices.lazy.filter { !isCopied($0) })
        try output.writeParts(data.indices.reduce(0) { $0 + size($1) }) { parts in
            var (start, place) = (0, 0)
            while start < data.count {
                var end = start
                if let run = run(from: start), run.bytes.count >= Self.worthCopying {
                    end = run.end
                    try data.checkLengths(start..<end)
                    try parts.copy(run.file, run.bytes, at: place)
                    place += run.bytes.count
                    for index in start..<end {
                        let (file, rows) = data.rows(index)
                        scales += file.batch.tokens.scales(rows)
                    }
                } else {
                    let first = place
                    var chunks: [Chunk] = []
                    while end < data.count,
                        place - first < Self.longestRun || chunks.count < 2 * workers(parts)
                    {
                        let chunk = Chunk(sequences: chunk(from: end), place: place)
                        chunks.append(chunk)
                        end = chunk.sequences.upperBound
                        place += chunk.sequences.reduce(0) { $0 + size($1) }
                        if let next = run(from: end), next.bytes.count >= Self.worthCopying { break }
                    }
                    try data.checkLengths(start..<end)
                    scales += try write(chunks, to: parts)
                }
                for index in start..<end where !isCopied(index) { readAhead.advance(data.byteCount(index)) }
                try progress(start..<end)
                start = end
            }
        }
        return scales
    }

    private func write(_ chunks: [Chunk], to parts: OutputParts) throws -> [Float] {
        try Parallel.map(
            count: chunks.count, threads: workers(parts),
            workspace: { (scratch: [Float](), buffer: OutputBuffer(parts)) }
        ) { try write(chunks[$0], to: &$1.buffer, scratch: &$1.scratch) }.flatMap(\.self)
    }

    private func workers(_ parts: OutputParts) -> Int { parts.areInOrder ? 1 : threads }

    // Bytes of a sequence in the tensor.
    private func size(_ index: Int) -> Int { data.length(index) * data.width * type.size }

    // Where a sequence is, if it keeps its type and the system can copy it.
    private func stored(_ index: Int) -> (file: ByteSource, bytes: Range<Int>)? {
        let (file, rows) = data.rows(index)
        guard file.batch.tokens.keepsBits(as: type), let place = file.batch.tokens.storedBytes(rows),
            place.file.isMapped
        else { return nil }
        return place
    }

    private func isCopied(_ index: Int) -> Bool { stored(index) != nil }

    // Such sequences from one on that lie side by side in one file.
    private func run(from start: Int) -> (file: ByteSource, bytes: Range<Int>, end: Int)? {
        guard start < data.count, let (file, first) = stored(start) else { return nil }
        var (bytes, end) = (first, start + 1)
        while end < data.count, bytes.count < Self.longestRun, let next = stored(end), next.file === file,
            next.bytes.lowerBound == bytes.upperBound
        {
            bytes = bytes.lowerBound..<next.bytes.upperBound
            end += 1
        }
        return (file, bytes, end)
    }

    private func chunk(from start: Int) -> Range<Int> {
        var (end, size) = (start, 0)
        while end < data.count, size < Self.chunkSize {
            size += self.size(end)
            end += 1
        }
        return start..<end
    }

    private func write(_ chunk: Chunk, to buffer: inout OutputBuffer, scratch: inout [Float]) throws
        -> [Float]
    {
        var scales: [Float] = []
        let most = max(1, Self.tile / data.width)
        buffer.move(to: chunk.place)
        for index in chunk.sequences {
            let (file, rows) = data.rows(index)
            let tokens = file.batch.tokens
            for start in stride(from: rows.lowerBound, to: rows.upperBound, by: most) {
                let tile = start..<min(start + most, rows.upperBound)
                try buffer.append(tile.count * data.width * type.size) { bytes, place in
                    if tokens.keepsBits(as: type) {
                        tokens.copyRows(tile, into: &bytes, at: place)
                        scales += tokens.scales(tile)
                    } else {
                        scales += try convert(tokens, tile, index, scratch: &scratch, into: &bytes, at: place)
                    }
                }
            }
            // Bytes that are gone are NaN in small files.
            if tokens.files.contains(where: { !$0.isMapped }), let error = data.cutError(in: index) {
                throw error
            }
        }
        try buffer.finish()
        return scales
    }

    private func convert(
        _ tokens: TokenMatrix, _ tile: Range<Int>, _ index: Int, scratch: inout [Float],
        into bytes: inout [UInt8], at start: Int
    ) throws -> [Float] {
        var (overflow, scales): ((element: Int, value: Float)?, [Float]) = (nil, [])
        tokens.withRows(tile, scratch: &scratch) { values in
            scales = narrow(values, columns: data.width, as: type, into: &bytes, at: start)
            overflow = firstOverflow(values, bytes, at: start, as: type).map { ($0, values[$0]) }
        }
        guard let overflow else { return scales }
        let (file, rows) = data.rows(index)
        let token = tile.lowerBound - rows.lowerBound + overflow.element / data.width
        throw DataError(
            .overflow, file.path,
            "tensor hidden_states, \(data.name(index)), token \(token), dimension \(overflow.element % data.width)",
            expected: "a number that \(type.rawValue) can hold", found: "\(overflow.value)")
    }
}
