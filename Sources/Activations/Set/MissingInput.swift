/// A path where something was looked for in vain.
public struct MissingInput: Error, Equatable, CustomStringConvertible {
    /// The path.
    public let path: String
    /// What was looked for.
    package let what: String

    /// "runs: expected files named *.safetensors, found none".
    public var description: String { "\(path): expected \(what), found none" }
}
