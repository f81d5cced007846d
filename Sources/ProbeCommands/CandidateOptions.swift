public import ArgumentParser
public import AttentionProbes

extension ProbeKind: ExpressibleByArgument {}
extension AttentionFunction: ExpressibleByArgument {}
extension Smoothing: ExpressibleByArgument {}
extension Optimizer: ExpressibleByArgument {}
extension ClassWeight: ExpressibleByArgument {}

/// Options about a probe and how it is trained. Where several values may be listed they are candidates of
/// a selection; a single training takes one of each.
struct CandidateOptions: ParsableArguments {
    @Option(help: "Kind of probe. (default: attention; with --select a grid of kinds)")
    var kind: CommaList<ProbeKind>?
    @Option(help: Hyperparameter.heads.optionHelp)
    var heads: CommaList<Int>?
    @Option(help: Hyperparameter.hidden.optionHelp)
    var hidden: Int?
    @Option(help: Hyperparameter.units.optionHelp)
    var units: Int?
    @Option(help: "How logits become attention. (default: softmax)")
    var attention: AttentionFunction?
    @Option(help: Hyperparameter.k.optionHelp)
    var k: Int?
    @Option(help: Hyperparameter.window.optionHelp)
    var window: Int?
    @Option(help: Hyperparameter.order.optionHelp)
    var order: Int?
    @Option(help: Hyperparameter.rank.optionHelp)
    var rank: Int?
    @Option(help: Hyperparameter.temperature.optionHelp)
    var temperature: Float?
    @Option(help: Hyperparameter.decay.optionHelp)
    var decay: Float?
    @Option(help: Hyperparameter.coherence.optionHelp)
    var coherence: Float?
    @Option(help: Hyperparameter.smoothing.optionHelp)
    var smoothing: Smoothing?

    @Option(
        help: """
            Optimiser. (default: lbfgs for \(names { $0.usualOptimizer == .lbfgs }) and regression, else adamw)
            """)
    var optimizer: CommaList<Optimizer>?
    @Option(help: "Passes over the data (adamw, default 30) or iterations (lbfgs, default 200).")
    var epochs: Int?
    @Option(help: "Sequences of a minibatch (adamw). (default: 32, fewer below 800 sequences)")
    var batchSize: Int?
    @Option(
        name: [.customLong("learning-rate"), .customLong("lr")],
        help: "Highest learning rate (adamw). (default: \(learningRates))")
    var learningRate: Float?
    @Option(
        name: [.customLong("l2"), .customLong("weight-decay")],
        help: """
            L2 penalty on weights (lbfgs), decoupled weight decay (adamw); biases and position \
            weights have none. (default: 0.01)
            """)
    var l2: CommaList<Float>?
    @Option(help: "Probability of hiding a token during training (adamw). (default: 0.5)")
    var tokenDropout: CommaList<Float>?
    @Option(help: "How classes of different sizes count: balanced gives every class the same weight.")
    var classWeight: ClassWeight = .none
    @Flag(help: "Do not standardise the dimensions of the hidden states for training.")
    var noStandardize = false
    @Flag(
        help: """
            Whiten the dimensions of the hidden states for training, too: standardised ones often go together, and those that \
            many do outweigh others.
            """)
    var whiten = false

    /// The options that take lists, and how many values those given have.
    var listed: [(name: String, count: Int)] {
        [
            ("kind", kind?.values.count), ("heads", heads?.values.count), ("l2", l2?.values.count),
            ("optimizer", optimizer?.values.count), ("token-dropout", tokenDropout?.values.count),
        ].compactMap { name, count in count.map { (name, $0) } }
    }

    /// The candidates for a task, kinds as listed; without a kind the default grid.
    func candidates(for task: ProbeTask, kinds: [ProbeKind]) -> [Candidate] {
        var grid = CandidateGrid()
        grid.kinds = kinds
        grid.heads = heads?.values ?? []
        grid.l2 = l2?.values ?? []
        grid.tokenDropouts = tokenDropout?.values ?? []
        let isAdamW = batchSize != nil || learningRate != nil || tokenDropout != nil
        grid.optimizers = optimizer?.values ?? (isAdamW ? [.adamw] : [])
        return grid.candidates(for: task) { candidate in
            adjust(&candidate.configuration)
            adjust(&candidate.options)
        }
    }

    /// What the candidates of listed kinds are, whatever the task.
    func configurations(_ kinds: [ProbeKind]) -> [ProbeConfiguration] {
        kinds.flatMap { kind in
            (heads?.values.map(Optional.some) ?? [nil]).map { heads in
                var configuration = ProbeConfiguration(kind, heads: heads)
                adjust(&configuration)
                return configuration
            }
        }
    }

    private func adjust(_ configuration: inout ProbeConfiguration) {
        if configuration.kind.hasAttentionFunction {
            configuration.attention = attention ?? configuration.attention
        }
        for (hyperparameter, value, _) in hyperparameters {
            configuration[hyperparameter] = Float(value)
        }
    }

    // Those given, of the ones that a configuration has one value of.
    private var hyperparameters: [(Hyperparameter, value: Double, text: String)] {
        let whole: [(Hyperparameter, Int?)] = [
            (.hidden, hidden), (.units, units), (.k, k), (.window, window), (.order, order), (.rank, rank),
        ]
        let others: [(Hyperparameter, Float?)] = [
            (.temperature, temperature), (.decay, decay), (.coherence, coherence),
        ]
        let names: [(Hyperparameter, String?)] = [(.smoothing, smoothing?.rawValue)]
        return whole.compactMap { name, value in value.map { (name, Double($0), "\($0)") } }
            + others.compactMap { name, value in value.map { (name, Double($0), "\($0)") } }
            + names.compactMap { name, value in value.map { (name, Double(name.value($0)!), $0) } }
    }

    private func adjust(_ options: inout TrainingOptions) {
        options.epochs = epochs ?? options.epochs
        options.batchSize = batchSize ?? options.batchSize
        options.learningRate = learningRate ?? options.learningRate
        options.standardizes = !noStandardize
        options.whitens = whiten
        options.classWeight = classWeight
    }

    func validate() throws {
        guard !whiten || !noStandardize else {
            throw ValidationError("--whiten: expected it without --no-standardize")
        }
        try require(heads, .heads)
        for (hyperparameter, value, text) in hyperparameters {
            try require(value, hyperparameter, found: text)
        }
        try require(epochs, "epochs", to: 1_000_000_000)
        try require(batchSize, "batch-size", to: 1_000_000_000)
        try require(learningRate, "learning-rate", "a positive number") { $0 > 0 && $0.isFinite }
        try require(l2, "l2", "0 or a positive number") { $0 >= 0 && $0.isFinite }
        try require(tokenDropout, "token-dropout", "a number from 0 to below 1") { (0..<1).contains($0) }
    }

    /// Refuses options that none of the candidates has.
    func checkUse(by configurations: [ProbeConfiguration]) throws {
        let kinds = configurations.map(\.kind)
        try kinds.check(heads, .heads)
        for (hyperparameter, value, text) in hyperparameters {
            try kinds.check(value, hyperparameter)
            try kinds.check(value, hyperparameter, found: text)
        }
        let usesDecay = configurations.contains {
            $0.kind.has(.decay) && (!$0.kind.has(.smoothing) || $0.smoothing == .ema)
        }
        guard decay == nil || usesDecay else {
            throw ValidationError(
                "--decay: expected it only with --kind \(names({ $0.has(.decay) && !$0.has(.smoothing) }, last: " or ")), "
                    + "or with --smoothing ema")
        }
        try kinds.check(
            attention, "attention", \.hasAttentionFunction,
            "--kind \(names(\.hasAttentionFunction, last: " or "))")
        let options: [(Any?, String)] = [
            (optimizer, "optimizer"), (epochs, "epochs"), (batchSize, "batch-size"),
            (learningRate, "learning-rate"), (l2, "l2"), (tokenDropout, "token-dropout"),
            (noStandardize ? true : nil, "no-standardize"), (whiten ? true : nil, "whiten"),
        ]
        for (option, name) in options { try kinds.checkTrained(option, name) }
        let trained = kinds.filter { !$0.isClosedForm }
        let isAdamW =
            optimizer.map { $0.values.contains(.adamw) } ?? trained.contains { $0.usualOptimizer == .adamw }
        for (option, name) in [
            (batchSize as Any?, "batch-size"), (learningRate, "learning-rate"),
            (tokenDropout, "token-dropout"),
        ] where option != nil && !isAdamW {
            throw ValidationError("--\(name): expected it only with --optimizer adamw")
        }
        try kinds.check(
            classWeight == .none ? nil : classWeight, "class-weight", \.countsClassSizes,
            "a kind for which the sizes of classes count, not \(names({ !$0.countsClassSizes }, last: " or "))"
        )
        try kinds.check(
            tokenDropout, "token-dropout", { !$0.isClosedForm && !$0.readsOneToken },
            "a kind that reads several tokens, not \(names(\.readsOneToken, last: " or "))")
    }

    /// Refuses class weights where nothing has a class.
    func checkFit(_ task: ProbeTask) throws {
        guard classWeight == .balanced else { return }
        switch task {
        case .binary, .multiclass: return
        case .multilabel, .regression:
            throw ValidationError(
                "--class-weight: expected it only with a binary or multiclass task, found \(task.name)")
        }
    }
}
