import ProbeMetrics

/// Names and numbers in rows, to read and to copy.
struct Table {
    /// What the numbers are; also the name of a copy.
    let caption: String
    let header: [Cell]
    let rows: [Row]

    /// Whether names of columns stand upright, so that all columns fit.
    var isWide = false

    struct Row { let cells: [Cell] }

    struct Cell {
        let text: String
        let isNumber: Bool
        var isRowHeader = false
        /// How strongly to shade, in steps of a tenth; nil for not at all.
        var shade: String?
    }

    /// A column of names and columns of numbers.
    ///
    /// - Parameter names: how many columns at the start hold words.
    init(_ caption: String, _ header: [String], names: Int = 1, _ rows: [[String]]) {
        self.caption = caption
        self.header = header.enumerated().map { Cell(text: $1, isNumber: $0 >= names) }
        self.rows = rows.map { row in
            Row(
                cells: row.enumerated().map { column, text in
                    Cell(text: text, isNumber: column >= names, isRowHeader: column == 0 && names > 0)
                })
        }
    }

    /// The most frequent mistakes, for classes too many for a matrix.
    init(mistakesOf matrix: ConfusionMatrix, classes: [String]) {
        let rows = matrix.mistakes(60).map {
            [classes[$0.label], classes[$0.prediction], String($0.count)]
        }
        self.init(
            "The most frequent mistakes among \(classes.count) classes", ["label", "predicted", "sequences"],
            names: 2, rows)
    }

    /// Counts by label and prediction, the more of a label the darker.
    init(_ matrix: ConfusionMatrix, classes: [String]) {
        isWide = classes.count > 12
        caption = "Sequences by label (rows) and prediction (columns)"
        header =
            [Cell(text: "label \\ predicted", isNumber: false)]
            + classes.map { Cell(text: $0, isNumber: true) }
        rows = zip(classes, matrix.counts).map { name, counts in
            let total = max(1, counts.reduce(0, +))
            let cells = counts.map { count in
                Cell(
                    text: String(count), isNumber: true,
                    shade: String((10 * count + total - 1) / total))
            }
            return Row(cells: [Cell(text: name, isNumber: false, isRowHeader: true)] + cells)
        }
    }
}
