import AttentionProbes
import FoundationEssentials

/// A fraction or score with four decimals; what is too large for them in four significant digits.
func decimal(_ value: Double) -> String {
    abs(value) < 1e4 ? value.fixed(4) : significant(value)
}

/// A probability with four decimals; what is so near to 1 that these would say 1 as what is missing from that.
func probability(_ value: Double) -> String {
    let text = decimal(value)
    return value < 1 && text == decimal(1) ? "1 - \(significant(1 - value))" : text
}

/// A loss: four significant digits, whatever its size.
func significant(_ value: Double) -> String { value.significant(4) }

/// Rows of cells as lines, every column as wide as its widest cell: the first left-aligned, the others
/// right-aligned behind gaps. Rows may end early.
func inColumns(_ rows: [[String]], gaps: [Int]) -> [String] {
    let widths = (0...gaps.count).map { column in
        rows.map { column < $0.count ? $0[column].displayWidth : 0 }.max() ?? 0
    }
    return rows.map { row in
        let line = row.enumerated().map { column, cell in
            column == 0
                ? cell.filled(to: widths[0]) : cell.padded(to: widths[column] + gaps[column - 1])
        }.joined()
        return String(line.reversed().drop { $0 == " " }.reversed())
    }
}

extension [String] {
    /// As many of them as a width holds, and how many more there are: "no 3, yes 4, and 120 more".
    ///
    /// - Precondition: the width holds the longest and that.
    func listed(within width: Int) -> String {
        let all = joined(separator: ", ")
        guard all.displayWidth > width else { return all }
        let room = width - ", and \(count) more".count
        var (length, shown) = (0, 0)
        while length + self[shown].displayWidth <= room {
            length += self[shown].displayWidth + 2
            shown += 1
        }
        return prefix(shown).joined(separator: ", ") + ", and \(count - shown) more"
    }
}

/// The name of a file without its folder and its ending.
func stem(_ path: String) -> String {
    URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent.showingPathBytes()
}

/// What to call sets of data: the names of their files; where two would be called alike, their paths.
func setNames(_ paths: [String]) -> [String] {
    let names = paths.map(stem)
    return Set(names).count == names.count ? names : paths
}

/// "1 file", "3 files".
func counted(_ count: Int, _ one: String, _ many: String? = nil) -> String {
    "\(count) \(count == 1 ? one : many ?? one + "s")"
}

/// "2 ids of labels.csv match no sequence: a, b".
func unmatched(_ ids: [String], of path: String) -> String {
    "\(counted(ids.count, "id of \(path) matches", "ids of \(path) match")) no sequence: \(few(ids))"
}

extension Probe {
    /// "attention, 8 heads"; an ensemble with a line for each of its parts, "0.52 × attention, 24 heads".
    var nameLines: [String] {
        configuration.parts.isEmpty ? [configuration.summary] : ["\(configuration.kind) of"] + partNames
    }
}

extension ProbeTask {
    /// "binary: benign, injection (positive)".
    var summary: String {
        guard let classes else { return "regression of \(counted(outputs, "number"))" }
        let shown =
            classes.prefix(6).map(\.printable).joined(separator: ", ") + (isBinary ? " (positive)" : "")
        return classes.count > 6
            ? "\(name) of \(classes.count) classes: \(shown), …" : "\(name): \(shown)"
    }
}

/// "a, b, c, …".
func few(_ names: [String]) -> String {
    names.prefix(3).map(\.printable).joined(separator: ", ") + (names.count > 3 ? ", …" : "")
}
