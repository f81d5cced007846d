// Rows of scores that an earlier run left, so that another can go on behind them. A score has the
// same bits in every run, so the kept rows prove themselves: the first and the last, scored again,
// must be the same bytes.
private import Foundation
private import Tensors

/// The complete rows at the start of a file that was not finished.
public struct PartialScores: Sendable {
    /// How many rows are complete.
    public let rows: Int
    /// Bytes up to the end of the last complete row, with what stands before the first.
    public let bytes: Int

    /// No rows: there is no such file, or nothing of use in it.
    public static let none = PartialScores(rows: 0, bytes: 0)

    private init(rows: Int, bytes: Int) {
        self.rows = rows
        self.bytes = bytes
    }

    /// Finds the rows that a run of these probes on these data left at `path`. O(bytes).
    ///
    /// - Throws: `SystemError` where the file cannot be read; `DataError` where it holds other rows.
    public init(
        path: String, _ format: ScoreFormat, _ probes: ProbeSet, names: [String], _ data: ActivationSet
    ) throws {
        let content = try Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped)
        var writer = ScoreWriter(format, probes.probes, names: names, data)
        let head = writer.head
        let ends = Self.rowEnds(content)
        // A row that was cut off is written again.
        let kept = ends.count - (format == .csv ? 1 : 0)
        guard kept > 0 else {
            self = .none
            return
        }
        func row(_ index: Int) throws -> [UInt8] {
            try writer.rows(probes.scores(data, index..<index + 1))
        }
        func found(_ index: Int) -> [UInt8] {
            let line = index + (format == .csv ? 1 : 0)
            return Array(content[(line == 0 ? 0 : ends[line - 1])..<ends[line]])
        }
        guard kept <= data.count, content.starts(with: head), try found(0) == row(0),
            try found(kept - 1) == row(kept - 1)
        else {
            throw DataError(
                .mismatch, path, expected: "rows that these probes give these data",
                found: "others; delete the file to start anew")
        }
        self.init(rows: kept, bytes: ends[ends.count - 1])
    }

    // Where lines end, those inside quotation marks left out: JSON has none there, CSV may.
    private static func rowEnds(_ content: Data) -> [Int] {
        var ends: [Int] = []
        var isQuoted = false
        for (index, byte) in content.enumerated() {
            if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
            if byte == UInt8(ascii: "\n"), !isQuoted { ends.append(index + 1) }
        }
        return ends
    }
}
