public import ArgumentParser
public import AttentionProbes
import Foundation
import Tensors

extension ProbeKind: ExpressibleByArgument {}
extension AttentionFunction: ExpressibleByArgument {}
extension TrainingOptions.Optimizer: ExpressibleByArgument {}

struct Train: ParsableCommand {
    enum TaskName: String, ExpressibleByArgument, CaseIterable {
        case binary, multiclass, multilabel, regression
    }

    static let configuration = CommandConfiguration(
        abstract: "Fit a probe to labelled activations.",
        usage: "attnprobe train DATA... --out PROBE [--kind attention] [options]",
        discussion: """
            Trains on all sequences, or with --validation-fraction or --validation keeps the \
            epoch with the lowest loss on held-out ones. Ctrl-C stops and saves that epoch, or \
            without held-out sequences the last.

              attnprobe train train.safetensors --out probe.safetensors --heads 4 --seed 1
            """)

    @Argument(help: "Activation files or folders.")
    var data: [String]
    @Option(name: [.short, .long], help: "The probe file to write.")
    var out: String

    @Option(help: "Kind of probe.")
    var kind: ProbeKind = .attention
    @Option(help: "Heads of attention, multimax and rolling-attention. (default: 8)")
    var heads: Int?
    @Option(help: "Units of a hidden layer behind the heads; 0 for none. (default: 0)")
    var hidden: Int?
    @Option(help: "How logits become attention. (default: softmax)")
    var attention: AttentionFunction?
    @Option(help: "How many of the largest scores topk averages. (default: 5)")
    var k: Int?
    @Option(help: "Tokens of a window. (default: rolling 40, rolling-attention 10)")
    var window: Int?
    @Option(help: "Temperature of a softmax probe. (default: 5)")
    var temperature: Float?
    @Option(help: "Weight of the newest token in ema. (default: 0.5)")
    var decay: Float?
    @Option(help: "What to predict. (default: as the labels say)")
    var task: TaskName?

    @Option(help: "Optimiser. (default: lbfgs for mean, last, absmax, ema and regression, else adamw)")
    var optimizer: TrainingOptions.Optimizer?
    @Option(
        help: """
            Probes to train, with successive seeds, and to average into one of so many times the heads \
            (attention without a hidden layer, multimax, rolling-attention). (default: 1)
            """)
    var average: Int?
    @Option(help: "Passes over the data (adamw, default 30) or iterations (lbfgs, default 200).")
    var epochs: Int?
    @Option(help: "Sequences of a minibatch (adamw). (default: 32)")
    var batchSize: Int?
    @Option(
        name: [.customLong("learning-rate"), .customLong("lr")],
        help:
            "Highest learning rate (adamw). (default: 0.003; 0.01 for max, topk, softmax, rolling, multimax)")
    var learningRate: Float?
    @Option(
        name: [.customLong("l2"), .customLong("weight-decay")],
        help: """
            L2 penalty on weights (lbfgs), decoupled weight decay (adamw); biases and position \
            weights have none. (default: 0.01)
            """)
    var l2: Float?
    @Option(help: "Probability of hiding a token during training (adamw). (default: 0.5)")
    var tokenDropout: Float?
    @Option(help: "Share of sequences held out for early stopping, whole groups. (default: 0)")
    var validationFraction: Double?
    @Option(help: "Activations for early stopping, in place of held-out sequences.")
    var validation: [String] = []
    @Option(help: "Epochs without a lower validation loss before stopping. (default: 10)")
    var patience: Int?
    @Flag(help: "Do not standardise the dimensions of the hidden states for training.")
    var noStandardize = false
    @Flag(help: "Print a JSON object about the training on standard output.")
    var json = false
    @OptionGroup var shared: SharedOptions

    func validate() throws {
        func check(_ isValid: Bool, _ name: String, _ expected: String) throws {
            guard isValid else { throw ValidationError("--\(name): expected \(expected)") }
        }
        try check((1...4096).contains(heads ?? 1), "heads", "a number from 1 to 4096")
        try check((0...65536).contains(hidden ?? 0), "hidden", "a number from 0 to 65536")
        try check((1...1_000_000_000).contains(epochs ?? 1), "epochs", "a number from 1 to 1000000000")
        try check(batchSize ?? 1 > 0, "batch-size", "at least 1")
        try check(learningRate.map { $0 > 0 && $0.isFinite } ?? true, "learning-rate", "a positive number")
        try check(l2.map { $0 >= 0 && $0.isFinite } ?? true, "l2", "0 or a positive number")
        try check(
            tokenDropout.map { (0..<1).contains($0) } ?? true, "token-dropout", "a number from 0 to below 1")
        try check(
            validationFraction.map { (0..<1).contains($0) } ?? true, "validation-fraction",
            "a number from 0 to below 1")
        try check(patience ?? 1 > 0, "patience", "at least 1")
        try check((1...1000).contains(average ?? 1), "average", "a number from 1 to 1000")
        try check(
            average ?? 1 == 1 || probeConfiguration.canBeAveraged, "average",
            "it only with attention without a hidden layer, multimax or rolling-attention")
        try check(
            (average ?? 1) * probeConfiguration.heads <= 4096, "average", "at most 4096 heads altogether")
        let isAttention = kind == .attention
        try check(
            heads == nil || kind.hasHeads, "heads",
            "it only with --kind attention, multimax or rolling-attention")
        try check((1..<1 << 24).contains(k ?? 1), "k", "at least 1")
        try check(k == nil || kind == .topk, "k", "it only with --kind topk")
        try check((1..<1 << 24).contains(window ?? 1), "window", "at least 1")
        try check(
            window == nil || kind.hasWindow, "window", "it only with --kind rolling or rolling-attention")
        try check(temperature.map { $0 > 0 && $0.isFinite } ?? true, "temperature", "a positive number")
        try check(temperature == nil || kind == .softmax, "temperature", "it only with --kind softmax")
        try check(decay.map { $0 > 0 && $0 <= 1 } ?? true, "decay", "a number above 0, at most 1")
        try check(decay == nil || kind == .ema, "decay", "it only with --kind ema")
        try check(
            optimizer == nil || !kind.isClosedForm, "optimizer", "none for --kind \(kind.rawValue)")
        try check(hidden == nil || isAttention, "hidden", "it only with --kind attention")
        try check(attention == nil || isAttention, "attention", "it only with --kind attention")
        let isAdamW = optimizer.map { $0 == .adamw } ?? !(kind.isConvex || kind.isClosedForm)
        try check(batchSize == nil || isAdamW, "batch-size", "it only with --optimizer adamw")
        try check(learningRate == nil || isAdamW, "learning-rate", "it only with --optimizer adamw")
        try check(tokenDropout == nil || kind != .last, "token-dropout", "no --kind last")
        try check(tokenDropout == nil || isAdamW, "token-dropout", "it only with --optimizer adamw")
        try check(
            validation.isEmpty || validationFraction == nil, "validation",
            "it or --validation-fraction, not both")
        try check(
            patience == nil || !validation.isEmpty || validationFraction ?? 0 > 0, "patience",
            "it only with --validation or --validation-fraction")
    }

    func run() throws {
        let training = try shared.open(data)
        let heldOut = validation.isEmpty ? nil : try shared.open(validation)
        try shared.checkOutput(out, isNoneOf: (training.files + (heldOut?.files ?? [])).map(\.path))
        // Fails now rather than after the training if the probe cannot be written.
        try OutputFile.check(path: out)
        let task = try training.task(named: task?.rawValue)
        let interrupt = Interrupt()
        let line = ProgressLine(isShown: !shared.quiet)
        var results: [Trainer.Result] = []
        var isInterrupted = false
        try withExtendedLifetime(interrupt) {
            for number in 0..<(average ?? 1) where !isInterrupted {
                var options = options(for: task)
                options.seed &+= UInt64(number)
                let start = line.elapsed
                let result = try Trainer(probeConfiguration, options: options).fit(
                    training, validation: heldOut, task: task,
                    progress: { report in
                        // Not before: bad data are refused in one sentence.
                        if report.epoch <= 1, number == 0 { shared.note(heading(training, task)) }
                        let name = average.map { "\(number + 1)/\($0) " } ?? ""
                        line.show(name + progress(report, training.tokenCount, line.elapsed - start))
                    },
                    isInterrupted: { [flag = interrupt.flag] in flag.isSet })
                isInterrupted = result.stop == .interrupted
                if result.best != nil { results.append(result) }
            }
        }
        line.finish()
        guard let result = results.last, let best = result.best else {
            shared.note("interrupted before there was anything to save")
            throw ExitCode(130)
        }
        let probes = results.map(\.probe)
        try (probes.count > 1 ? Probe.average(probes) : probes[0]).write(to: out)
        if let first = result.history.first, !(best.loss <= first.loss) {
            shared.note(
                "warning: the loss rose from \(significant(first.loss)) to \(significant(best.loss)); "
                    + "a lower --learning-rate may help")
        }
        let validationLoss = best.validationLoss.map { ", validation \(significant($0))" } ?? ""
        shared.note(
            "\((isInterrupted ? .interrupted : result.stop).rawValue): saved \(out) as of round \(best.epoch), "
                + "loss \(significant(best.loss))\(validationLoss)")
        if json { try StandardOutput.print(Summary(result, best, out).json()) }
        if isInterrupted { throw ExitCode(130) }
    }

    private func heading(_ data: ActivationSet, _ task: ProbeTask) -> String {
        "\(data.count) sequences, \(data.tokenCount) tokens of \(data.width); \(task.summary)"
    }

    private func progress(_ report: TrainingProgress, _ tokens: Int, _ elapsed: Double) -> String {
        let left = elapsed / Double(max(1, report.epoch)) * Double(report.epochs - report.epoch)
        let number = String(report.epoch).padded(to: String(report.epochs).count)
        let validation = report.validationLoss.map { " val \(significant($0))" } ?? ""
        return "epoch \(number)/\(report.epochs) \(bar(report.epoch, of: report.epochs)) "
            + "loss \(significant(report.loss))\(validation) \(rate(tokens * report.epoch, elapsed)) "
            + "\(clock(elapsed))<\(clock(left))"
    }

    private var probeConfiguration: ProbeConfiguration {
        var configuration = ProbeConfiguration(
            kind, heads: heads, hidden: hidden ?? 0, attention: attention ?? .softmax, window: window)
        configuration.k = k ?? configuration.k
        configuration.temperature = temperature ?? configuration.temperature
        configuration.decay = decay ?? configuration.decay
        return configuration
    }

    private func options(for task: ProbeTask) -> TrainingOptions {
        let hasAdamWOptions = batchSize != nil || learningRate != nil || tokenDropout != nil
        var options = TrainingOptions.suited(
            to: kind, task, optimizer: optimizer ?? (hasAdamWOptions ? .adamw : nil))
        options.epochs = epochs ?? options.epochs
        options.batchSize = batchSize ?? options.batchSize
        options.learningRate = learningRate ?? options.learningRate
        options.l2 = l2 ?? options.l2
        options.tokenDropout = tokenDropout ?? options.tokenDropout
        options.validationFraction = validationFraction ?? options.validationFraction
        options.patience = patience ?? options.patience
        options.standardizes = !noStandardize
        options.seed = shared.seed
        options.threads = shared.threadCount
        return options
    }

    private struct Summary: Encodable {
        let probe: String
        let stop: String
        let epoch: Int
        let epochs_run: Int
        let loss, penalty: Double
        let validation_loss: Double?
        let training_sequences, validation_sequences: Int

        init(_ result: Trainer.Result, _ best: TrainingProgress, _ path: String) {
            probe = path
            stop = result.stop.rawValue
            epoch = best.epoch
            epochs_run = result.history.count
            (loss, penalty, validation_loss) = (best.loss, best.penalty, best.validationLoss)
            training_sequences = result.trainingCount
            validation_sequences = result.validationCount
        }
    }
}
