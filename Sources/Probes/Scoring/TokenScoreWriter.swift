package import Activations
private import Synchronization
import Tensors
package import Storage

/// Writes what single tokens have, for all sequences of a set in their order.
package struct TokenScoreWriter: Sendable {
    private let format: ScoreFormat
    private let set: ProbeSet
    private let names: [String]
    private let data: ActivationSet
    private let threads: Int
    private let scorer: TokenScorer

    /// A writer for some probes, with a name for each.
    ///
    /// - Precondition: as many names as probes, no two the same.
    /// - Throws: `DataError` where widths differ, there is no sequence, or a probe is of a kind that cannot be scored
    ///   token by token.
    package init(
        _ format: ScoreFormat, _ set: ProbeSet, names: [String], _ data: ActivationSet,
        threads: Int = Parallel.availableThreads
    ) throws {
        precondition(names.count == set.probes.count && Set(names).count == names.count)
        try set.checkFits(data)
        (self.format, self.set, self.names, self.data, self.threads) = (format, set, names, data, threads)
        scorer = try TokenScorer(set.probes)
    }

    /// Writes all. As safetensors in memory that does not grow with the tokens, but into a pipe; in rows of text with the
    /// numbers of a few sequences.
    ///
    /// - Parameter progress: is told the sequences that are done, some at a time; what it throws ends the writing.
    /// - Throws: `SystemError`; `DataError` where a hidden state is not finite, or a file has become shorter.
    package func write(to output: OutputFile, progress: (Range<Int>) throws -> Void = { _ in }) throws {
        if format == .safetensors { return try writeTensors(to: output, progress) }
        let rows = TokenScoreRows(format: format, probes: set.probes, names: names, data: data)
        try output.write(rows.head)
        try data.forEachChunk(tokens: 1 << 14) { range, readAhead in
            let parts = try Parallel.map(
                count: range.count, threads: threads, workspace: TokenScorer.Workspace.init
            ) { [scorer, data] offset, work in
                let index = range.lowerBound + offset
                defer { readAhead.advance(data.byteCount(index)) }
                return rows.rows(index, try scorer.scores(data, index, &work))
            }
            try data.checkNothingLost(range)
            for part in parts { try output.write(part) }
            try progress(range)
        }
    }

    // Rows of successive positions that are not written yet.
    private struct Rows { var start = 0, floats: [Float] = [] }
    private static let writtenAtOnce = 1 << 16

    // Where a column of floats is in the file, in floats from the first of all, and how many a token has.
    private struct Column {
        let name: String
        let shape: [Int]
        let start: Int
        let width: Int
        // Which of the numbers of all probes.
        let range: Range<Int>
    }

    // All in their order in the file; and prefixes, attention and contributions.
    private func columns() -> (all: [Column], byKind: [[Column]]) {
        let tokens = data.tokenCount
        var all: [Column] = []
        func add(_ name: String, _ shape: [Int], _ range: Range<Int>) -> Column {
            let start = all.reduce(0) { $0 + $1.width * tokens }
            let column = Column(
                name: name, shape: [tokens] + shape, start: start, width: shape.reduce(1, *), range: range)
            all.append(column)
            return column
        }
        var (prefixes, attention, contributions): ([Column], [Column], [Column]) = ([], [], [])
        for (i, probe) in set.probes.enumerated() {
            let prefix = set.probes.count == 1 ? "" : names[i] + "."
            let (outputs, ranges) = (probe.task.outputs, scorer.pass.detailRanges[i])
            prefixes.append(add(prefix + "prefix_logits", [outputs], scorer.pass.outputRange(i)))
            guard !ranges.heads.isEmpty else { continue }
            attention.append(add(prefix + "attention", [ranges.heads.count], ranges.heads))
            contributions.append(
                add(prefix + "contributions", [ranges.heads.count, outputs], ranges.contributions))
        }
        return (all, [prefixes, attention, contributions])
    }

    private func writeTensors(to output: OutputFile, _ progress: (Range<Int>) throws -> Void) throws {
        let columns = columns()
        let totals = [scorer.pass.outputCount, scorer.headCount, scorer.contributionCount]
        let starts = data.indices.reduce(into: [0]) { $0.append($0[$0.count - 1] + data.length($1)) }
        try data.writeTokenTensors(
            metadata: metadata, columns.all.map { ($0.name, $0.shape) }, to: output
        ) { sink in
            try data.forEachChunk(tokens: 1 << 17) { range, readAhead in
                _ = try Parallel.map(
                    count: range.count, threads: threads, workspace: TokenScorer.Workspace.init
                ) { [scorer, data] offset, work in
                    let index = range.lowerBound + offset
                    defer { readAhead.advance(data.byteCount(index)) }
                    var waiting = [Rows(), Rows(), Rows()]
                    func put(_ kind: Int, _ rows: [Float], _ positions: Range<Int>) throws {
                        if waiting[kind].floats.isEmpty { waiting[kind].start = positions.lowerBound }
                        waiting[kind].floats += rows
                        if waiting[kind].floats.count >= Self.writtenAtOnce { try flush(kind) }
                    }
                    func flush(_ kind: Int) throws {
                        for column in columns.byKind[kind] where !waiting[kind].floats.isEmpty {
                            let place = column.start + (starts[index] + waiting[kind].start) * column.width
                            let total = totals[kind]
                            try sink.write(
                                column.width == total
                                    ? waiting[kind].floats : part(waiting[kind].floats, total, column.range),
                                at: place)
                        }
                        waiting[kind].floats.removeAll(keepingCapacity: true)
                    }
                    try scorer.score(data, index, &work) {
                        try put(0, $1, $0)
                    } details: {
                        try put(1, $1, $0)
                        try put(2, $2, $0)
                    }
                    for kind in 0..<3 { try flush(kind) }
                }
                try data.checkNothingLost(range)
                try progress(range)
            }
        }
    }

    private func part(_ rows: [Float], _ total: Int, _ range: Range<Int>) -> [Float] {
        Matrix(rows: rows.count / total, columns: total, storage: rows).columns(range).storage
    }

    private var metadata: [String: String] {
        var metadata = ["format": "attention-probes/token-scores", "version": "1"]
        for (name, probe) in zip(names, set.probes) {
            let prefix = set.probes.count == 1 ? "" : name + "."
            metadata[prefix + "kind"] = probe.configuration.kind.rawValue
            metadata[prefix + "task"] = probe.task.name
            if let classes = probe.task.classes { metadata[prefix + "classes"] = JSONList.encode(classes) }
        }
        return metadata
    }
}
