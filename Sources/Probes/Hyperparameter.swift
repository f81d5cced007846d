/// A number that a user chooses about a kind of probe: its name in probe files and as an option, the values that it
/// may have, and what is said about it.
public struct Hyperparameter: Sendable, Hashable {
    /// The name in probe files and on the command line.
    public let name: String
    /// What it is, for help; KINDS stands for the kinds that have it.
    package let help: String
    /// Whether it is a whole number, or one of several names.
    package let isWhole: Bool
    /// Whether a probe file may lack it, for 0, as files do from before there was such a choice.
    private(set) var isOptional = false
    // Of the options: the least, which for numbers that are not whole is not 0 itself, and the largest.
    private let least: Float
    private let most: Float
    private let label: @Sendable (String) -> String?
    // Of a choice its names, in place of which values are their numbers, from 0; else none.
    private let names: [String]

    /// A whole number.
    ///
    /// - Parameters:
    ///   - most: the largest that an option takes; probe files take any below 2²⁴.
    ///   - label: how a value, written out, appears in the name of a probe; nil for not at all.
    package init(
        _ name: String, from least: Int, to most: Int = 1 << 24 - 1, help: String,
        label: @escaping @Sendable (String) -> String? = { _ in nil }
    ) {
        self.init(name, help, isWhole: true, Float(least), Float(most), label)
    }

    /// A number above 0.
    ///
    /// - Parameters:
    ///   - least: the smallest that an option takes; probe files take any above 0.
    ///   - most: the largest.
    ///   - label: how a value, written out, appears in the name of a probe; nil for not at all.
    package init(
        _ name: String, above least: Float = 0, atMost most: Float = .greatestFiniteMagnitude, help: String,
        label: @escaping @Sendable (String) -> String? = { _ in nil }
    ) {
        self.init(name, help, isWhole: false, least, most, label)
    }

    /// One of several names; the value is the number of one in the list, from 0.
    ///
    /// - Parameter label: how a name appears in the name of a probe; nil for not at all.
    package init(
        _ name: String, among names: [String], help: String,
        label: @escaping @Sendable (String) -> String? = { _ in nil }
    ) {
        self.init(name, help, isWhole: true, 0, Float(names.count - 1), label, names)
    }

    private init(
        _ name: String, _ help: String, isWhole: Bool, _ least: Float, _ most: Float,
        _ label: @escaping @Sendable (String) -> String?, _ names: [String] = []
    ) {
        (self.name, self.help, self.isWhole) = (name, help, isWhole)
        (self.least, self.most, self.label, self.names) = (least, most, label, names)
    }

    /// Hyperparameters are the same if their names are.
    public static func == (a: Hyperparameter, b: Hyperparameter) -> Bool { a.name == b.name }

    /// Hashes the name.
    public func hash(into hasher: inout Hasher) { hasher.combine(name) }

    /// A value as probe files have it: "5", "0.5", a name.
    package func text(_ value: Float) -> String {
        if !names.isEmpty { return names[min(Int(clamping: max(0, value)), names.count - 1)] }
        return isWhole ? String(Int(clamping: value)) : String(value)
    }

    /// A value for people: a number without a fraction of zero, a name.
    package func shortText(_ value: Float) -> String { names.isEmpty ? value.shortest : text(value) }

    /// "8 heads": a value as it appears in the name of a probe; nil if it does not.
    package func label(_ value: Float) -> String? { label(text(value)) }

    /// Reads what a probe file has; nil where that is no value of it.
    package func value(_ text: String) -> Float? {
        if !names.isEmpty { return names.firstIndex(of: text).map(Float.init) }
        guard isWhole else { return Float(text).flatMap { $0 > 0 && $0 <= most ? $0 : nil } }
        return Int(text).flatMap { $0 >= Int(least) && $0 < 1 << 24 ? Float($0) : nil }
    }

    /// What probe files may have, for people.
    var expected: String {
        if !names.isEmpty { return names.joined(separator: " or ") }
        if isWhole { return "a whole number from \(text(least))" }
        return most < .greatestFiniteMagnitude
            ? "a number above 0, at most \(most.shortest)" : "a positive number"
    }

    /// Whether an option may have a value.
    package func isOption(_ value: Double) -> Bool {
        isWhole
            ? (Double(least)...Double(most)).contains(value)
            : value > 0 && Float(value) >= least && Float(value) <= most
    }

    /// What an option may have, for people.
    package var expectedOption: String {
        if isWhole { return "a number from \(text(least)) to \(text(most))" }
        return least > 0 ? "a number from \(least) on" : expected
    }
}

extension Hyperparameter {
    /// Heads.
    public static let heads = Hyperparameter(
        "heads", from: 1, to: 4096, help: "Heads of KINDS.", label: { "\($0) head\($0 == "1" ? "" : "s")" })
    /// Units of a hidden layer behind the heads.
    public static let hidden = Hyperparameter(
        "hidden", from: 0, to: 65536, help: "Units of a hidden layer behind the heads; 0 for none.",
        label: { $0 == "0" ? nil : "hidden \($0)" })
    /// Units of either of two layers before the heads; 0 for none.
    public static let units = units(from: 0)
    /// The same for a kind that is not without them.
    static let neededUnits = units(from: 1)
    private static func units(from least: Int) -> Hyperparameter {
        var units = Hyperparameter(
            "units", from: least, to: 65536,
            help: "Units of two layers that look at every token first, of KINDS; 0 for none.",
            label: { $0 == "0" ? nil : "\($0) units" })
        units.isOptional = least == 0
        return units
    }
    /// How many scores are averaged.
    public static let k = Hyperparameter(
        "k", from: 1, help: "How many of the largest scores KINDS averages.", label: { "k \($0)" })
    /// Neighbours that are looked at together.
    public static let window = Hyperparameter(
        "window", from: 1, help: "Tokens of a window.", label: { "window \($0)" })
    /// φ: what scores are divided by. Where it is below 1e-6 a softmax is a maximum, and floats do not hold scores over it.
    public static let temperature = Hyperparameter(
        "temperature", above: 1e-6, help: "Temperature of the softmax in KINDS.")
    /// α: the weight of the newest token.
    public static let decay = Hyperparameter(
        "decay", atMost: 1, help: "Weight of the newest token in KINDS.")
    /// K: the highest order of a polynomial.
    public static let order = Hyperparameter(
        "order", from: 1, to: 16, help: "Highest order of KINDS.", label: { "order \($0)" })
    /// R: terms of each order of a polynomial.
    public static let rank = Hyperparameter(
        "rank", from: 1, to: 65536, help: "Terms of each order of KINDS from the second on.",
        label: { "rank \($0)" })
    /// The probability of either class from which on no higher order is computed.
    static let exit: Hyperparameter = {
        var exit = Hyperparameter(
            "exit", atMost: 1, help: "Probability from which on KINDS computes no higher order.")
        exit.isOptional = true
        return exit
    }()
    /// λ: what the variance over windows of a negative counts in the loss.
    public static let coherence = Hyperparameter(
        "coherence", help: "Weight of the variance over windows of a negative in the loss of KINDS.",
        label: { $0 == "0.01" ? nil : "coherence \($0)" })
    /// How scores of tokens are smoothed.
    public static let smoothing = Hyperparameter(
        "smoothing", among: Smoothing.allCases.map(\.rawValue),
        help:
            "How KINDS smooths scores of tokens for scoring: by the mean of a window, or the exponential mean.",
        label: { $0 == "mean" ? nil : "smoothed by \($0)" })
}

extension Int {
    /// A whole number; the largest where it is larger.
    init(clamping value: Float) { self = Int(exactly: value) ?? .max }
}

extension Float {
    /// "0.01", "1", without a fraction of zero.
    package var shortest: String {
        self == rounded() && abs(self) < 1e6 ? String(Int(self)) : String(self)
    }
}
