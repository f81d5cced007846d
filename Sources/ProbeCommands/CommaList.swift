import ArgumentParser

/// Values of an option separated by commas: "attention,mean", "0.01,0.1". One that is listed twice counts
/// once.
struct CommaList<Value: ExpressibleByArgument & Equatable & Sendable>: ExpressibleByArgument, Sendable {
    let values: [Value]

    init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
        let values = parts.compactMap { Value(argument: String($0)) }
        guard values.count == parts.count else { return nil }
        self.values = values.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }

    static var allValueStrings: [String] { Value.allValueStrings }
}
