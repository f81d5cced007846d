import ArgumentParser
import AttentionProbes

/// Options that say what a matrix without offsets is, where a file does not say it.
struct MatrixOptions: ParsableArguments {
    @Flag(help: "Take a matrix without offsets for pooled states: each row is a sequence of one vector.")
    var pooled = false
    @Flag(help: "Take a matrix without offsets for one sequence: each row is a token.")
    var sequence = false

    func validate() throws {
        guard !(pooled && sequence) else {
            throw ValidationError("--sequence: expected it or --pooled, not both")
        }
    }

    /// The forms of files that are read, with what was asked for before all others.
    var readers: [any ActivationReader] {
        pooled
            ? [PooledReader(isAsked: true), LlamaEmbeddingsReader(isPooled: true)] + activationReaders
            : sequence
                ? [OneSequenceReader(isAsked: true), LlamaEmbeddingsReader(isPooled: false)]
                    + activationReaders
                : activationReaders
    }
}
