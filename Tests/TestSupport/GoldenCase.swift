public import AttentionProbes
import Foundation

/// One file of reference values, made with PyTorch autograd in float64: parameters, hidden states
/// and labels, and the attention, outputs, loss and gradients they lead to. The copies here hold
/// float32; `GOLDEN_FOLDER` in the environment names a folder of others to test against.
public struct GoldenCase: Sendable {
    public static let names = [
        "blog", "gemma", "gpt2", "long", "mlp", "multilabel", "odd", "regression", "steep", "tanh", "tiny",
    ]

    public let name: String
    private let file: TensorFile

    public init(_ name: String) throws {
        self.name = name
        let folder =
            ProcessInfo.processInfo.environment["GOLDEN_FOLDER"]
            ?? Bundle.module.resourceURL!.appendingPathComponent("Golden").path
        file = try Safetensors.open(path: "\(folder)/\(name).safetensors")
    }

    public func floats(_ name: String) -> [Float] { file.floats(file.tensors[name]!) }
    public func integers(_ name: String) -> [Int] { file.integers(file.tensors[name]!) }
    public var loss: Double {
        file.file.withBytes(file.tensors["loss"]!.bytes) { loadArray($0, of: Double.self)[0] }
    }

    public var width: Int { file.tensors["hidden_states"]!.shape[1] }
    public var heads: Int { Int(file.metadata["heads"]!)! }
    public var outputs: Int { Int(file.metadata["outputs"]!)! }

    package func architecture(_ plan: AttentionPlan? = nil) -> AttentionArchitecture {
        AttentionArchitecture(
            width: width, outputs: outputs, heads: heads, hidden: Int(file.metadata["hidden"]!)!,
            attention: AttentionFunction(rawValue: file.metadata["attention"]!)!, plan: plan)
    }

    public var task: ProbeTask {
        let classes = (0..<outputs).map(String.init)
        switch file.metadata["loss"]! {
        case "bce": return .binary(classes: ["0", "1"])
        case "cross_entropy": return .multiclass(classes: classes)
        case "multilabel": return .multilabel(classes: classes)
        default: return .regression(outputs: outputs)
        }
    }

    /// The tensors of an architecture end to end, with "grad." before their names for gradients.
    public func parameters(prefix: String = "") -> [Float] {
        architecture().tensors.flatMap { floats(prefix + $0.name) }
    }

    public func data() throws -> ActivationSet {
        let tokens = TokenMatrix(floats("hidden_states"), columns: width)
        let batch = try RaggedBatch(tokens: tokens, offsets: integers("offsets"))
        let targets: Targets
        switch task {
        case .binary, .multiclass: targets = .classes(integers("labels"))
        case .multilabel, .regression:
            targets = .values(Matrix(rows: batch.count, columns: outputs, storage: floats("labels")))
        }
        return try ActivationSet([ActivationFile(batch, targets: targets)])
    }
}
