public import ArgumentParser
public import AttentionProbes

extension Metric: ExpressibleByArgument {
    /// The metric of a name, see `scoreName`.
    public init?(argument: String) {
        guard let metric = Self.all.first(where: { $0.scoreName == argument }) else { return nil }
        self = metric
    }

    /// What metrics are called on the command line.
    public static var allValueStrings: [String] { all.map(\.scoreName) }
    /// What it is called there.
    public var defaultValueDescription: String { scoreName }
}

extension Calibration.Method: ExpressibleByArgument {}

/// Options of a selection by cross-validation.
struct SelectionOptions: ParsableArguments {
    @Flag(
        help: """
            Choose by cross-validation among all combinations of the kinds, heads, optimisers, penalties \
            and token dropouts listed with commas, or of a default grid; then train the best on all \
            sequences. Run again after an interruption, it goes on where it was.
            """)
    var select = false
    @Option(help: "Folds of the cross-validation. (default: 5; 10 below 1000 sequences)")
    var folds: Int?
    @Option(help: "Metric to choose by. (default: auroc; accuracy for several classes, r2 for regression)")
    var metric: Metric?
    @Option(help: "How outputs become probabilities, fitted on out-of-fold scores (binary). (default: platt)")
    var calibration: Calibration.Method?
    @Option(
        help: """
            Rows of weights that an average or an ensemble may multiply a token with, at most; 0 for no ensembles. \
            (default: 1.3 times those of attention with 8 heads and as many seeds as --average says, 83 for 4)
            """)
    var maxRows: Int?
    @Option(help: "Where to write out-of-fold scores. (default: beside the probe, .out-of-fold.jsonl)")
    var outOfFold: String?

    func validate() throws {
        func check(_ isValid: Bool, _ name: String, _ expected: String) throws {
            guard isValid else { throw ValidationError("--\(name): expected \(expected)") }
        }
        try require(folds, "folds", from: 2, to: 1000)
        try require(maxRows, "max-rows", from: 0)
        for (name, isGiven) in [
            ("folds", folds != nil), ("metric", metric != nil), ("calibration", calibration != nil),
            ("out-of-fold", outOfFold != nil), ("max-rows", maxRows != nil),
        ] {
            try check(select || !isGiven, name, "it only with --select")
        }
    }

    /// Rows of weights of an ensemble at most, of parts that are averages of so many seeds.
    func mostRows(average: Int) -> Int { maxRows ?? Selection.usualRows(average: average) }
}
