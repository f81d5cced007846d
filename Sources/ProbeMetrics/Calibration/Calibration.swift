// From the logit y of a binary probe to a probability that holds what it says, fitted on outputs for
// sequences that the probe was not trained on:
//
//     platt      1 / (1 + exp(-(slope·y + intercept)))                    (Platt, 1999)
//     isotonic   the non-decreasing function of y with the least squared error, linear between its
//                knots and constant outside them                           (Zadrozny and Elkan, 2002)
//
// A probe file holds it as JSON in the metadata `calibration`; a file without has none.
private import FoundationEssentials
private import Glibc

/// A non-decreasing map from logits to probabilities.
public enum Calibration: Sendable, Equatable {
    /// A logistic curve; the slope is positive.
    case platt(slope: Double, intercept: Double)
    /// Knots, rising in logits and not falling in probabilities, at least one.
    case isotonic(logits: [Float], probabilities: [Double])

    /// Its name in a probe file and on the command line.
    public enum Method: String, Sendable, CaseIterable, Codable {
        /// No calibration: the probability is the sigmoid of the logit.
        case none
        /// A logistic curve, two numbers: the choice for few sequences.
        case platt
        /// A step-like curve of any shape, for a thousand sequences or more.
        case isotonic
    }

    /// Fits a calibration to outputs and what came true; nil for no method, and for Platt's where the
    /// outputs do not rise with the outcome.
    ///
    /// - Parameter weights: how much each counts, as scikit-learn's `sample_weight`; nil for 1 each.
    /// - Precondition: one outcome a logit, both outcomes present; weights, if any, positive and as many.
    public init?(_ method: Method, logits: [Float], isPositive: [Bool], weights: [Float]? = nil) {
        self.init(method, logits: logits, outcomes: isPositive.map { $0 ? 1 : 0 }, weights: weights)
    }

    /// The same where outcomes may be probabilities: a sequence with y counts as y of a positive and 1 - y of a
    /// negative.
    ///
    /// - Parameter outcomes: from 0 to 1.
    package init?(_ method: Method, logits: [Float], outcomes: [Float], weights: [Float]? = nil) {
        precondition(logits.count == outcomes.count, "one outcome a logit")
        precondition(weights.map { $0.count == logits.count } ?? true, "one weight a logit")
        let weights = weights?.map(Double.init) ?? Array(repeating: 1, count: logits.count)
        switch method {
        case .none: return nil
        case .platt:
            let (slope, intercept) = plattFit(logits, outcomes.map(Double.init), weights: weights)
            guard slope > 0, slope.isFinite, intercept.isFinite else { return nil }
            self = .platt(slope: slope, intercept: intercept)
        case .isotonic:
            let (knots, values) = isotonicFit(logits, outcomes.map(Double.init), weights: weights)
            self = .isotonic(logits: knots, probabilities: values)
        }
    }

    /// The probability of a logit.
    public func callAsFunction(_ logit: Float) -> Float {
        switch self {
        case .platt(let slope, let intercept):
            let x = slope * Double(logit) + intercept
            let e = exp(-abs(x))
            return Float(x >= 0 ? 1 / (1 + e) : e / (1 + e))
        case .isotonic(let logits, let probabilities):
            return Float(Self.value(at: logit, logits, probabilities))
        }
    }

    /// The log loss of a logit's probability: -log p where it came true, else -log(1 - p). Of Platt's curve it is
    /// found from the logit, without rounding p to 0 or 1. An isotonic p may be 0 or 1, and is kept between ε and
    /// 1 - ε with ε = 2⁻⁵², as scikit-learn's `log_loss` does.
    package func loss(_ logit: Float, isPositive: Bool) -> Double { loss(logit, outcome: isPositive ? 1 : 0) }

    /// The same where it came true with a probability y: y times the loss of a positive and 1 - y times that of a
    /// negative.
    func loss(_ logit: Float, outcome: Double) -> Double {
        switch self {
        case .platt(let slope, let intercept):
            let x = slope * Double(logit) + intercept
            var unused = 0.0
            return LogisticLoss.value(x, outcome, derivative: &unused)
        case .isotonic(let logits, let probabilities):
            let p = Self.value(at: logit, logits, probabilities)
            let least = Double.ulpOfOne
            func loss(_ p: Double) -> Double { -log(min(max(p, least), 1 - least)) }
            return outcome * loss(p) + (1 - outcome) * loss(1 - p)
        }
    }

    // Linear between knots, constant outside them.
    private static func value(at logit: Float, _ logits: [Float], _ probabilities: [Double]) -> Double {
        var (above, end) = (0, logits.count)
        while above < end {
            let middle = (above + end) / 2
            if logits[middle] < logit { above = middle + 1 } else { end = middle }
        }
        guard above < logits.count else { return probabilities[probabilities.count - 1] }
        guard above > 0, logits[above] > logit else { return probabilities[above] }
        let (x0, x1) = (Double(logits[above - 1]), Double(logits[above]))
        let (p0, p1) = (probabilities[above - 1], probabilities[above])
        return p0 + (p1 - p0) * (Double(logit) - x0) / (x1 - x0)
    }
}

extension Calibration: Codable {
    private enum CodingKeys: String, CodingKey { case method, slope, intercept, logits, probabilities }

    /// Reads the JSON of a probe file.
    ///
    /// - Throws: `DecodingError` where it is not of a known method or breaks a rule of `Calibration`.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        func fault(_ text: String) -> DecodingError {
            .dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: text))
        }
        switch try container.decode(Method.self, forKey: .method) {
        case .none: throw fault("no calibration")
        case .platt:
            let slope = try container.decode(Double.self, forKey: .slope)
            let intercept = try container.decode(Double.self, forKey: .intercept)
            guard slope > 0, slope.isFinite, intercept.isFinite else { throw fault("a slope above 0") }
            self = .platt(slope: slope, intercept: intercept)
        case .isotonic:
            let logits = try container.decode([Float].self, forKey: .logits)
            let values = try container.decode([Double].self, forKey: .probabilities)
            guard !logits.isEmpty, logits.count == values.count,
                zip(logits, logits.dropFirst()).allSatisfy({ $0 < $1 }),
                zip(values, values.dropFirst()).allSatisfy({ $0 <= $1 }),
                values.allSatisfy({ (0...1).contains($0) })
            else { throw fault("rising logits and probabilities") }
            self = .isotonic(logits: logits, probabilities: values)
        }
    }

    /// Writes the JSON of a probe file.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        switch self {
        case .platt(let slope, let intercept):
            try container.encode(Method.platt, forKey: .method)
            try container.encode(slope, forKey: .slope)
            try container.encode(intercept, forKey: .intercept)
        case .isotonic(let logits, let probabilities):
            try container.encode(Method.isotonic, forKey: .method)
            try container.encode(logits, forKey: .logits)
            try container.encode(probabilities, forKey: .probabilities)
        }
    }
}
