public import Activations
public import ProbeMetrics

/// A fitted probe: an immutable value that scores.
public struct Probe: Sendable {
    /// What was chosen about it.
    public let configuration: ProbeConfiguration
    /// Its shape.
    package let architecture: any ProbeArchitecture
    /// The tensors of the architecture, end to end.
    public let parameters: [Float]
    /// What it predicts.
    public let task: ProbeTask
    /// The probability from which on a class counts as present (binary and multilabel).
    public let threshold: Double
    /// How the logit of a binary probe becomes a probability; nil for its sigmoid.
    public let calibration: Calibration?
    /// How it was trained.
    public let training: TrainingRecord

    /// A probe of existing parameters.
    ///
    /// - Precondition: as many parameters as the architecture of `configuration`, `width` and the
    ///   task's outputs has.
    public init(
        _ configuration: ProbeConfiguration, width: Int, task: ProbeTask, parameters: [Float],
        threshold: Double = 0.5, calibration: Calibration? = nil, training: TrainingRecord = [:]
    ) {
        precondition(calibration == nil || task.isBinary, "calibration is for binary tasks")
        self.configuration = configuration
        architecture = configuration.architecture(width: width, outputs: task.outputs)
        precondition(
            parameters.count == architecture.tensors.parameterCount,
            "\(parameters.count) parameters for \(architecture.tensors.parameterCount)")
        self.parameters = parameters
        self.task = task
        self.threshold = threshold
        self.calibration = calibration
        self.training = training
    }

    /// The same probe with another calibration and threshold, and with more said of its training.
    package func deployed(
        threshold: Double, calibration: Calibration?, noting notes: TrainingRecord = [:]
    ) -> Probe {
        var training = training
        training.add(notes)
        return Probe(
            configuration, width: width, task: task, parameters: parameters, threshold: threshold,
            calibration: calibration, training: training)
    }

    /// Probabilities from the logits of one sequence, O values; empty for regression.
    public func probabilities(_ logits: some Collection<Float>) -> [Float] {
        guard let calibration else { return task.probabilities(logits) }
        return logits.map { calibration($0) }
    }

    /// D, the width of the hidden states it takes.
    public var width: Int { architecture.width }

    /// Elements of one tensor; nil if the probe has no such tensor.
    public func tensor(_ name: String) -> [Float]? {
        architecture.tensors.range(of: name).map { Array(parameters[$0]) }
    }
}
