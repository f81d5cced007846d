// Hidden states from files of any form to one flat tensor, in order. Sequences that lie side by side in one
// file and keep their type are copied by the system; the others are gathered and converted a few megabytes
// at a time on all threads.
internal import Tensors

struct StateCopy {
    let data: ActivationSet
    let type: ElementType
    let threads: Int

    // Bytes that are worth a call of the system, and a part of the work for one thread.
    private static let worthCopying = 1 << 20
    private static let chunkSize = 4 << 20
    // At most, so that progress and Ctrl-C are looked at.
    private static let longestRun = 64 << 20

    func write(to output: OutputFile, _ progress: (Range<Int>) throws -> Void) throws {
        let readAhead = data.readAhead(data.indices.lazy.filter { !isCopied($0) })
        var start = 0
        while start < data.count {
            var end = start
            if let run = run(from: start), run.bytes.count >= Self.worthCopying {
                end = run.end
                try data.checkLengths(start..<end)
                try output.copy(run.file, run.bytes)
            } else {
                var chunks: [Range<Int>] = []
                while end < data.count, chunks.count < min(4 * threads, 32) {
                    let chunk = chunk(from: end)
                    chunks.append(chunk)
                    end = chunk.upperBound
                    if let next = run(from: end), next.bytes.count >= Self.worthCopying { break }
                }
                try data.checkLengths(start..<end)
                let work = chunks
                let parts = try Parallel.map(count: work.count, threads: threads, workspace: { [Float]() }) {
                    try bytes(work[$0], scratch: &$1)
                }
                for part in parts { try output.write(part) }
            }
            for index in start..<end where !isCopied(index) { readAhead.advance(data.byteCount(index)) }
            try progress(start..<end)
            start = end
        }
    }

    // Where a sequence is, if it keeps its type and the system can copy it.
    private func stored(_ index: Int) -> (file: MappedFile, bytes: Range<Int>)? {
        let (file, rows) = data.rows(index)
        guard file.batch.tokens.elementType == type, let place = file.batch.tokens.storedBytes(rows),
            !place.file.losesBytesQuietly
        else { return nil }
        return place
    }

    private func isCopied(_ index: Int) -> Bool { stored(index) != nil }

    // Such sequences from one on that lie side by side in one file.
    private func run(from start: Int) -> (file: MappedFile, bytes: Range<Int>, end: Int)? {
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
            size += data.length(end) * data.width * type.size
            end += 1
        }
        return start..<end
    }

    private func bytes(_ range: Range<Int>, scratch: inout [Float]) throws -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(range.reduce(0) { $0 + data.length($1) } * data.width * type.size)
        for index in range {
            let (file, rows) = data.rows(index)
            let tokens = file.batch.tokens
            if tokens.elementType == type {
                tokens.appendRows(rows, to: &bytes)
            } else {
                try convert(tokens, rows, index, scratch: &scratch, to: &bytes)
            }
            // Bytes that are gone are NaN in small files.
            if tokens.files.contains(where: \.losesBytesQuietly), let error = data.cutError(in: index) {
                throw error
            }
        }
        return bytes
    }

    private func convert(
        _ tokens: TokenMatrix, _ rows: Range<Int>, _ index: Int, scratch: inout [Float],
        to bytes: inout [UInt8]
    ) throws {
        let size = max(1, 65536 / data.width)
        for start in stride(from: rows.lowerBound, to: rows.upperBound, by: size) {
            let tile = start..<min(start + size, rows.upperBound)
            var overflow: (element: Int, value: Float)?
            tokens.withRows(tile, scratch: &scratch) { values in
                let narrowed = narrow(values, as: type)
                overflow = firstOverflow(values, narrowed, as: type).map { ($0, values[$0]) }
                bytes += narrowed
            }
            guard let overflow else { continue }
            let token = tile.lowerBound - rows.lowerBound + overflow.element / data.width
            throw DataError(
                .overflow, data.rows(index).file.path,
                "tensor hidden_states, \(data.name(index)), token \(token), dimension \(overflow.element % data.width)",
                expected: "a number that \(type.rawValue) can hold", found: "\(overflow.value)")
        }
    }
}
