import ArgumentParser
import AttentionProbes
import Synchronization

// What help and errors say of kinds, from what the kinds say of themselves.

/// "attention, multimax and lda": the kinds of which something holds.
///
/// - Parameters:
///   - last: what stands before the last of several.
///   - note: what is said behind a kind.
func names(
    _ holds: (ProbeKind) -> Bool, last: String = ", ", note: (ProbeKind) -> String = { _ in "" }
) -> String {
    let names = ProbeKind.allCases.filter(holds).map { $0.rawValue + note($0) }
    return names.count < 2
        ? names.joined() : names.dropLast().joined(separator: ", ") + last + names[names.count - 1]
}

/// "attention without --hidden": the kinds whose probes have an average, and what these are without.
func averagedKinds(last: String) -> String {
    names(\.addsHeads, last: last) { kind in
        let options = [Hyperparameter.hidden, .units].filter(kind.has).map { " without --\($0.name)" }
        return options.joined()
    }
}

/// "0.003; 0.01 for max, topk": the usual learning rate, and those of kinds that have one of their own.
var learningRates: String {
    var rates: [Float] = []
    for kind in ProbeKind.allCases where !rates.contains(kind.learningRate) {
        rates.append(kind.learningRate)
    }
    let own = rates.filter { $0 != ProbeKind.usualLearningRate }
    return
        ([ProbeKind.usualLearningRate.shortest]
        + own.map { rate in "\(rate.shortest) for \(names { $0.learningRate == rate })" })
        .joined(separator: "; ")
}

extension Hyperparameter {
    // Options are made many times while a command line is read, and what is said of them takes long to put together.
    private static let helps = Mutex<[String: String]>([:])

    /// What the option is, and its usual value or values.
    var optionHelp: ArgumentHelp {
        ArgumentHelp(
            Self.helps.withLock { helps in
                if let known = helps[name] { return known }
                let made = madeHelp
                helps[name] = made
                return made
            })
    }

    private var madeHelp: String {
        let usual = ProbeKind.allCases.compactMap { kind in
            kind.hyperparameters.first { $0.key == self }.map { (kind, text: $0.key.shortText($0.value)) }
        }
        let same = Set(usual.map(\.text)).count < 2
        let values = same ? usual[0].text : usual.map { "\($0) \($1)" }.joined(separator: ", ")
        let names = names({ $0.has(self) }, last: " and ")
        return "\(help.replacing("KINDS", with: names)) (default: \(values))"
    }
}
