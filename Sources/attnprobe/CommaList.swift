import ArgumentParser

/// Values of an option separated by commas: "attention,mean", "0.01,0.1".
struct CommaList<Value: ExpressibleByArgument & Sendable>: ExpressibleByArgument, Sendable {
    let values: [Value]

    init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
        let values = parts.compactMap { Value(argument: String($0)) }
        guard values.count == parts.count else { return nil }
        self.values = values
    }

    static var allValueStrings: [String] { Value.allValueStrings }
}
