// max_t z̄_t, the first of equals, with z̄_t the mean of the last M scores up to the t-th, of fewer at the start
// (Constitutional Classifiers++, Cunningham et al., 2026, arXiv 2601.04603, section 5, with M = 16). So the score of a
// sequence never falls while it goes on. Its loss is one on all sliding means: `SlidingMeanLoss`.
//
// In place of the sliding mean, scoring may take the exponential one, as an ema probe has it: it needs one number a
// stream, not M. Its usual α has the mean age of a window of 16: α = 2/17.
import ProbeMetrics

extension ProbeKind {
    /// The largest sliding mean of scores, trained on all sliding means.
    public static let swim = ProbeKind(
        "swim", [.window: 16, .temperature: 1, .smoothing: 0, .decay: 0.12],
        scores: { configuration in
            switch configuration.smoothing {
            case .mean: RollingPooling(window: configuration.window, takesShort: true)
            case .ema: EMAPooling(decay: configuration.decay)
            }
        }
    ) { kind in
        kind.tasks = [.binary, .multilabel]
        kind.tokenLoss = { Loss(SlidingMeanLoss(window: $0.window, temperature: $0.temperature)) }
        kind.grid = Grid(rank: 6) { $0.isBinary ? [.init()] : [] }
    }
}

/// How a swim probe smooths the scores of tokens.
public enum Smoothing: String, Sendable, CaseIterable {
    /// The mean of a window of tokens.
    case mean
    /// The exponential mean of all tokens so far.
    case ema
}
