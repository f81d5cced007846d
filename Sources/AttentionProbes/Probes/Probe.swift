/// A fitted probe: an immutable value that scores.
public struct Probe: Sendable {
    /// What was chosen about it.
    public let configuration: ProbeConfiguration
    /// Its shape.
    public let architecture: any ProbeArchitecture
    /// The tensors of the architecture, end to end.
    public let parameters: [Float]
    /// What it predicts.
    public let task: ProbeTask
    /// The probability from which on a class counts as present (binary and multilabel).
    public let threshold: Double
    /// How it was trained, for people to read: names and values, as they stand in the probe file.
    public let training: [String: String]

    /// A probe of existing parameters.
    ///
    /// - Precondition: as many parameters as the architecture of `configuration`, `width` and the
    ///   task's outputs has.
    public init(
        _ configuration: ProbeConfiguration, width: Int, task: ProbeTask, parameters: [Float],
        threshold: Double = 0.5, training: [String: String] = [:]
    ) {
        self.configuration = configuration
        architecture = configuration.architecture(width: width, outputs: task.outputs)
        precondition(
            parameters.count == architecture.tensors.parameterCount,
            "\(parameters.count) parameters for \(architecture.tensors.parameterCount)")
        self.parameters = parameters
        self.task = task
        self.threshold = threshold
        self.training = training
    }

    /// D, the width of the hidden states it takes.
    public var width: Int { architecture.width }

    /// Elements of one tensor; nil if the probe has no such tensor.
    public func tensor(_ name: String) -> [Float]? {
        architecture.tensors.range(of: name).map { Array(parameters[$0]) }
    }
}
