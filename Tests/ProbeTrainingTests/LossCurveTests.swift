import Foundation
import TestSupport
import Testing

import AttentionProbes
@testable import ProbeReports
@testable import ProbeTraining

@Suite("Loss curves")
struct LossCurveTests {
    private func points(_ curve: String) throws -> [[Double?]] {
        try JSONDecoder().decode([[Double?]].self, from: Data(curve.utf8))
    }

    @Test func aProbeKeepsTheLossOfEveryEpoch() throws {
        let data = try needleSet(count: 8, width: 3, lengths: 2...3)
        var options = TrainingOptions(.adamw)
        options.epochs = 1100
        let result = try Trainer(.mean, options: options).fit(data)
        let curve = try points(#require(result.probe.training["loss_curve"]))
        #expect(curve.map { $0[0] } == (1...1100).map(Double.init))
        #expect(curve.map { $0[1] } == result.history.map(\.loss))
        // A page shows some of them, and the last.
        let plot = try #require(result.probe.training.lossPlot)
        #expect(plot.table.rows.count <= 501 && "\(plot.table.rows.last as Any)".contains("1100"))
    }

    /// Less than a megabyte, whatever the number of epochs.
    @Test(arguments: [1, 9999, 10_000, 10_001, 25_000, 300_000])
    func ofVeryManyEpochsEverySoMany(count: Int) throws {
        let history = (1...count).map {
            TrainingProgress(
                epoch: $0, epochs: count, fraction: 1, loss: 1 / Double($0), penalty: 0,
                validationLoss: 2 / Double($0),
                bestEpoch: $0)
        }
        var record = TrainingRecord()
        record[.lossCurve] = LossCurve(history)
        let curve = try #require(record["loss_curve"])
        let epochs = try points(curve).compactMap { $0[0] }
        #expect(curve.utf8.count < 1 << 20 && epochs.last == Double(count))
        #expect(epochs.count == count || (5000...10_001).contains(epochs.count))
        if count <= 10_000 { #expect(epochs == (1...count).map(Double.init)) }
        #expect(zip(epochs, epochs.dropFirst()).dropLast().allSatisfy { $1 - $0 == epochs[1] - epochs[0] })
    }
}
