// What a training leaves in the file of its probe.
private import FoundationEssentials
package import Probes

extension TrainingRecord.Field<Optimizer> {
    package static var optimizer: Self { Self("optimizer") }
}
extension TrainingRecord.Field<ClassWeight> {
    static var classWeight: Self { Self("class_weight") }
}
extension TrainingRecord.Field<TrainingStop> {
    package static var stop: Self { Self("stop") }
}
extension TrainingRecord.Field<Bool> {
    static var standardizes: Self { Self("standardize") }
    static var whitens: Self { Self("whiten") }
}
extension TrainingRecord.Field<UInt64> {
    static var seed: Self { Self("seed") }
}
extension TrainingRecord.Field<Float> {
    static var l2: Self { Self("l2") }
    static var learningRate: Self { Self("learning_rate") }
    static var tokenDropout: Self { Self("token_dropout") }
}
extension TrainingRecord.Field<Double> {
    /// Of the epoch whose parameters are the probe's.
    static var trainingLoss: Self { Self("training_loss") }
    static var validationLoss: Self { Self("validation_loss") }
}
extension TrainingRecord.Field<Int> {
    static var epochs: Self { Self("epochs") }
    static var batchSize: Self { Self("batch_size") }
    /// The epoch whose parameters are the probe's.
    package static var epoch: Self { Self("epoch") }
    package static var trainingSequences: Self { Self("training_sequences") }
    static var validationSequences: Self { Self("validation_sequences") }
}
extension TrainingRecord.Field<LossCurve> {
    /// `[[epoch, loss, validation loss or null], …]`
    package static var lossCurve: Self {
        Self("loss_curve") {
            try? JSONDecoder().decode(LossCurve.self, from: Data($0.utf8))
        } text: {
            $0.text
        }
    }
}

/// The loss after each epoch.
package struct LossCurve: Decodable, Sendable {
    package let points: [Point]

    /// An epoch with its loss, and the loss on sequences held out.
    package struct Point: Decodable, Sendable {
        package let epoch, loss: Double
        package let heldOut: Double?

        package init(from decoder: any Decoder) throws {
            var list = try decoder.unkeyedContainer()
            epoch = try list.decode(Double.self)
            loss = try list.decode(Double.self)
            heldOut = list.isAtEnd ? nil : try list.decodeIfPresent(Double.self)
        }

        init(_ report: TrainingProgress) {
            (epoch, loss, heldOut) = (Double(report.epoch), report.loss, report.validationLoss)
        }

        fileprivate var text: String {
            let loss = loss.isFinite ? String(loss) : "null"
            return "[\(Int(epoch)),\(loss),\(heldOut.map { String($0) } ?? "null")]"
        }
    }

    package init(from decoder: any Decoder) throws {
        points = try decoder.singleValueContainer().decode([Point].self)
    }

    /// Every epoch, and of more than ten thousand every second, third, … and the last, so that they take less than
    /// a megabyte.
    init(_ history: [TrainingProgress]) {
        let step = max(1, (history.count + 9999) / 10_000)
        points = history.filter { $0.epoch % step == 0 || $0.epoch == history.last?.epoch }.map(Point.init)
    }

    fileprivate var text: String { "[" + points.map(\.text).joined(separator: ",") + "]" }
}
