package import Tensors

/// How a file holds its sequences, as the reader says that recognised it.
package struct ActivationForm: Sendable, Equatable {
    /// What `inspect` and a probe's record call it: "padded activations in .npz".
    package let name: String
    /// Whether a file is one sequence, which has the file's name.
    package let isOneSequence: Bool
    /// Whether a file may hold several layers, from which one chooses by their numbers in the file.
    package let holdsSeveralLayers: Bool
    /// Whether each sequence is one vector.
    package let isPooled: Bool
    /// Whether a running server may have a file still open for writing.
    package let mayBeUnfinished: Bool

    package init(
        _ name: String, isOneSequence: Bool = false, holdsSeveralLayers: Bool = false,
        isPooled: Bool = false, mayBeUnfinished: Bool = false
    ) {
        self.name = name
        (self.isOneSequence, self.holdsSeveralLayers) = (isOneSequence, holdsSeveralLayers)
        (self.isPooled, self.mayBeUnfinished) = (isPooled, mayBeUnfinished)
    }

    /// No file.
    package static let memory = ActivationForm("activations in memory")
    /// Outputs of a probe in place of hidden states.
    package static let scores = ActivationForm("scores")
}

extension ActivationSet {
    /// Whether what stands in place of hidden states are outputs of a probe.
    package var areScores: Bool { files[0].form == .scores }
}

/// Where the sequences of a file are.
package struct ActivationLayout {
    let batch: RaggedBatch
    /// The shape of tensors with one element a token.
    let tokenShape: [Int]
    /// The name of the tensor with the ids of tokens, if there is one; nil where none are those of the batch.
    let tokenIDs: String?
    /// How many layers the file holds.
    let layerCount: Int
    /// Which of the model's layers `batch` has; nil where the file does not say.
    let layers: LayerRecord?

    package init(
        batch: RaggedBatch, tokenShape: [Int], tokenIDs: String? = "token_ids", layerCount: Int = 1,
        layers: LayerRecord? = nil
    ) {
        (self.batch, self.tokenShape, self.layerCount) = (batch, tokenShape, layerCount)
        (self.tokenIDs, self.layers) = (tokenIDs, layers)
    }
}
