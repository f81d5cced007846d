// Rows of scores that an earlier run left, so that another can go on behind them. A score has the
// same bits in every run, so the kept rows prove themselves: all must have the ids of the data, and
// some of them, the first and the last among these, are scored again and must be the same bytes.
private import FoundationEssentials
private import Storage
package import Activations

/// The complete rows at the start of a file that was not finished.
package struct PartialScores: Sendable {
    /// How many rows are complete.
    package let rows: Int
    /// Bytes up to the end of the last complete row, with what stands before the first.
    package let bytes: Int

    /// No rows: there is no such file, or nothing of use in it.
    package static let none = PartialScores(rows: 0, bytes: 0)

    private init(rows: Int, bytes: Int) {
        self.rows = rows
        self.bytes = bytes
    }

    /// Finds the rows that a run of these probes on these data left at `path`. O(bytes).
    ///
    /// - Throws: `SystemError` where the file cannot be read; `DataError` where it holds other rows.
    package init(
        path: String, _ format: ScoreFormat, _ probes: ProbeSet, names: [String], _ data: ActivationSet
    ) throws {
        let file = try PlainPath(path)
        let content = try Data(contentsOf: URL(fileURLWithPath: file.path), options: .alwaysMapped)
        var writer = ScoreWriter(format, probes.probes, names: names, data)
        let head = writer.head
        let ends = Self.rowEnds(content, isQuoted: format == .csv)
        // A row that was cut off is written again.
        let kept = ends.count - (format == .csv ? 1 : 0)
        func row(_ index: Int) throws -> [UInt8] {
            try writer.rows(probes.scores(data, index..<index + 1))
        }
        func found(_ index: Int) -> [UInt8] {
            let line = index + (format == .csv ? 1 : 0)
            return Array(content[(line == 0 ? 0 : ends[line - 1])..<ends[line]])
        }
        // About sixteen, evenly spread.
        let sample = Set(stride(from: 0, to: kept, by: max(1, kept / 16))).union([kept - 1])
        // Where no row is whole there is the start of the first, if anything.
        guard kept > 0 else {
            let start = try head + (data.count > 0 ? row(0) : [])
            guard start.starts(with: content) else { throw Self.fault(path) }
            self = .none
            return
        }
        guard kept <= data.count, content.starts(with: head),
            (0..<kept).allSatisfy({ found($0).starts(with: writer.rowStart($0)) }),
            try sample.allSatisfy({ try found($0) == row($0) })
        else {
            throw Self.fault(path)
        }
        self.init(rows: kept, bytes: ends[ends.count - 1])
    }

    private static func fault(_ path: String) -> DataError {
        DataError(
            .mismatch, path, expected: "rows that these probes give these data",
            found: "others; delete the file to start anew")
    }

    // Where rows end: at every line's end, in CSV not at those between quotation marks.
    private static func rowEnds(_ content: Data, isQuoted mayBeQuoted: Bool) -> [Int] {
        var ends: [Int] = []
        var isQuoted = false
        for (index, byte) in content.enumerated() {
            if byte == UInt8(ascii: "\""), mayBeQuoted { isQuoted.toggle() }
            if byte == UInt8(ascii: "\n"), !isQuoted { ends.append(index + 1) }
        }
        return ends
    }
}
