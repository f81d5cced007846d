/// The optimiser that trains a probe.
public enum Optimizer: String, Sendable, CaseIterable {
    /// Adam with decoupled weight decay on minibatches of sequences, its learning rate falling
    /// to 0 along a cosine.
    case adamw
    /// Limited-memory BFGS on all sequences at once, with a strong-Wolfe line search.
    case lbfgs
}
