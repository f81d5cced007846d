// Writes flat activation files (`Readers/FlatReader.swift`): first the tensors of whole numbers, then
// `hidden_states`, aligned for floats, and their scales, last the bytes of masks, names and texts.
public import Tensors
import Storage

extension ActivationSet {
    /// Writes the sequences, with all that is known about them, as one flat activation file, in memory
    /// that does not grow with the number of tokens, but for the scales of states in eight bits. Padding and layers that were not chosen stay behind.
    ///
    /// - Parameters:
    ///   - type: how hidden states are stored, rounded to nearest, ties to even; nil for
    ///     the type that they have, and F32 where files differ. In the type they have already they keep their bits. Of eight bits each token has a scale: with E4M3 its largest
    ///     finite magnitude / 448, with E5M2 / 57344, and of zeros 1; an infinity becomes a NaN in E4M3.
    ///   - isDurable: whether the file is on disk before it takes its name.
    ///   - progress: is told the sequences of each part when their hidden states are written; what it
    ///     throws ends the writing and leaves nothing.
    /// - Throws: `SystemError` where the file cannot be written; `DataError` where there is no sequence, a finite
    ///   number is too large for `type`, or a file has become shorter.
    public func write(
        to path: String, as type: ElementType? = nil, threads: Int = Parallel.availableThreads,
        isDurable: Bool = true, progress: (Range<Int>) throws -> Void = { _ in }
    ) throws {
        try checkNotEmpty()
        let output = try OutputFile(path: path)
        try ActivationWriter(self, type ?? storedType, threads).write(to: output, progress)
        try output.commit(isDurable: isDurable)
    }

    /// How hidden states are stored; F32 where files differ, or layers side by side in eight bits have scales of their own.
    package var storedType: ElementType {
        let types = Set(files.map(\.batch.tokens.storedType))
        return types.count == 1 ? types.first! : .f32
    }

    /// The metadata of a flat file: what all files say alike, and what the format asks for.
    var flatMetadata: [String: String] {
        var metadata = files[0].metadata
        for file in files where file.metadata != metadata {
            metadata = metadata.filter { file.metadata[$0.key] == $0.value }
        }
        // Half a record would be another one.
        if files.contains(where: { $0.layers != nil }) {
            for key in LayerRecord.keys { metadata[key] = nil }
        }
        metadata.merge(layers?.metadata ?? [:]) { $1 }
        metadata["format"] = ActivationFile.fileFormat
        metadata["version"] = "1"
        metadata["classes"] = classes.map(JSONList.encode)
        return metadata
    }

    /// What some files say of tokens and others do not, which is left out of a common file.
    package var partialTokenTensors: [String] {
        [("token_ids", files.map(\.hasTokenIDs)), ("token_text", files.map(\.hasTokenText))]
            .filter { $0.1.contains(true) && $0.1.contains(false) }.map(\.0)
    }
}

struct ActivationWriter {
    // A tensor, and what writes its bytes.
    private struct Column {
        let name: String
        let type: String
        let shape: [Int]
        let byteCount: Int
        let write: (OutputFile) throws -> Void
    }

    let data: ActivationSet
    let type: ElementType
    let threads: Int

    init(_ data: ActivationSet, _ type: ElementType, _ threads: Int) {
        (self.data, self.type, self.threads) = (data, type, threads)
    }

    func write(to output: OutputFile, _ progress: (Range<Int>) throws -> Void) throws {
        try withoutActuallyEscaping(progress) { progress in
            let columns = columns(progress)
            try writeHeader(data.flatMetadata, columns, to: output)
            try write(columns, to: output)
        }
    }

    /// Writes offsets and names around some tensors of floats.
    func write(
        metadata: [String: String], _ floats: [(name: String, shape: [Int])], to output: OutputFile,
        _ writeFloats: (OutputFile) throws -> Void
    ) throws {
        let (before, after) = names()
        let first = [sums("offsets") { data.length($0) }] + before
        let stated = floats.map {
            Column(name: $0.name, type: "F32", shape: $0.shape, byteCount: $0.shape.reduce(4, *)) { _ in }
        }
        try writeHeader(metadata, first + stated + after, to: output)
        try write(first, to: output)
        try writeFloats(output)
        try write(after, to: output)
    }

    private func writeHeader(
        _ metadata: [String: String], _ columns: [Column], to output: OutputFile
    ) throws {
        try output.write(
            SafetensorsWriter.header(
                metadata: metadata, columns.map { ($0.name, $0.type, $0.shape, $0.byteCount) }))
    }

    private func write(_ columns: [Column], to output: OutputFile) throws {
        for column in columns {
            let start = output.byteCount
            try data.checkLengths(data.indices)
            try column.write(output)
            try data.checkNothingLost(data.indices)
            try SafetensorsWriter.check(
                output.path, column.name, column.byteCount, written: output.byteCount - start)
        }
    }

    private func columns(_ progress: @escaping (Range<Int>) throws -> Void) -> [Column] {
        let (data, count, tokens) = (data, data.count, data.tokenCount)
        let used = Set(data.locations.map(\.file))
        let parts = data.files.indices.filter(used.contains).map { data.files[$0] }
        var columns = [sums("offsets") { data.length($0) }]
        if case .classes(let classes) = data.targets {
            columns.append(integers("labels", [count]) { [classes[$0]] })
        }
        if let groups = data.groups { columns.append(integers("groups", [count]) { [groups[$0]] }) }
        let names = names()
        columns += names.before
        if case .values(let values) = data.targets {
            columns.append(
                column("labels", "F32", [count, values.columns], size: 4) { index, bytes in
                    for value in values[row: index] { bytes += value.bitPattern.littleEndianBytes }
                })
        }
        if case .probabilities(let probabilities) = data.targets {
            columns.append(
                column("labels", "F32", [count], size: 4) {
                    $1 += probabilities[$0].bitPattern.littleEndianBytes
                })
        }
        if let weights = data.weights {
            columns.append(
                column("weights", "F32", [count], size: 4) { $1 += weights[$0].bitPattern.littleEndianBytes })
        }
        columns += states(progress)
        if parts.contains(where: { $0.batch.tokenMask != nil }) {
            columns.append(
                column("token_mask", "U8", [tokens], size: 1) { index, bytes in
                    let (file, rows) = data.rows(index)
                    bytes +=
                        file.batch.tokenMask.map { $0[rows].map { $0 ? 1 : 0 } }
                        ?? Array(repeating: 1, count: rows.count)
                })
        }
        columns += names.after
        return columns
    }

    // What names sequences and tokens: offsets and numbers, and then bytes.
    private func names() -> (before: [Column], after: [Column]) {
        let (data, tokens) = (data, data.tokenCount)
        let used = Set(data.locations.map(\.file))
        let parts = data.files.indices.filter(used.contains).map { data.files[$0] }
        var (before, after): ([Column], [Column]) = ([], [])
        let names = data.indices.map { Array(data.id($0).utf8) }
        before.append(sums("sequence_ids_offsets") { names[$0].count })
        if parts.allSatisfy(\.hasTokenIDs) {
            before.append(
                integers("token_ids", [tokens]) { index in
                    let (file, rows) = data.rows(index)
                    return rows.map { file.tokenID($0)! }
                })
        }
        let hasText = parts.allSatisfy(\.hasTokenText)
        if hasText {
            var end = 0
            before.append(
                integers("token_text_offsets", [tokens + 1]) { index in
                    let (file, rows) = data.rows(index)
                    return (index == 0 ? [0] : [])
                        + rows.map { row in
                            end += file.tokenTextSize(row..<row + 1)
                            return end
                        }
                })
        }
        after.append(
            column("sequence_ids", "U8", [names.reduce(0) { $0 + $1.count }], size: 1) { $1 += names[$0] })
        if hasText {
            let size = data.indices.reduce(0) { sum, index in
                let (file, rows) = data.rows(index)
                return sum + file.tokenTextSize(rows)
            }
            after.append(
                column("token_text", "U8", [size], size: 1) { index, bytes in
                    let (file, rows) = data.rows(index)
                    for row in rows { bytes += file.tokenTextBytes(row)! }
                })
        }
        return (before, after)
    }

    // 0 and the running sums of one number a sequence.
    private func sums(_ name: String, _ value: @escaping (Int) -> Int) -> Column {
        var sum = 0
        return integers(name, [data.count + 1]) { index in
            sum += value(index)
            return index == 0 ? [0, sum] : [sum]
        }
    }

    private func integers(_ name: String, _ shape: [Int], _ values: @escaping (Int) -> [Int]) -> Column {
        column(name, "I64", shape, size: 8) { index, bytes in
            for value in values(index) {
                for shift in stride(from: 0, to: 64, by: 8) {
                    bytes.append(UInt8(truncatingIfNeeded: value >> shift))
                }
            }
        }
    }

    // Bytes that come sequence by sequence.
    private func column(
        _ name: String, _ type: String, _ shape: [Int], size: Int,
        _ append: @escaping (Int, inout [UInt8]) -> Void
    ) -> Column {
        let data = data
        return Column(name: name, type: type, shape: shape, byteCount: shape.reduce(size, *)) { output in
            var pending: [UInt8] = []
            for index in data.indices {
                append(index, &pending)
                if pending.count >= 1 << 20 {
                    try output.write(pending)
                    pending.removeAll(keepingCapacity: true)
                }
            }
            try output.write(pending)
        }
    }

    // Hidden states, and behind those of eight bits the scales of their tokens, which are known then.
    private func states(_ progress: @escaping (Range<Int>) throws -> Void) -> [Column] {
        let tokens = data.tokenCount
        var scales: [Float] = []
        let states = Column(
            name: "hidden_states", type: type.rawValue, shape: [tokens, data.width],
            byteCount: tokens * data.width * type.size
        ) { output in
            scales = try StateCopy(data: data, type: type, threads: threads).write(to: output, progress)
        }
        guard type.mayHaveScales else { return [states] }
        let column = Column(
            name: "hidden_states_scales", type: "F32", shape: [tokens], byteCount: 4 * tokens
        ) { try $0.write(narrow(scales.span, as: .f32)) }
        return [states, column]
    }
}

extension ActivationSet {
    /// The file of a sequence, and its rows there.
    func rows(_ index: Int) -> (file: ActivationFile, rows: Range<Int>) {
        let location = locations[index]
        let file = files[location.file]
        return (file, file.batch.rows(location.sequence))
    }
}
