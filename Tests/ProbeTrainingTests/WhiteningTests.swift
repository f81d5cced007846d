import AttentionProbes
@testable import Probes
@testable import ProbeTraining
import Foundation
import TestSupport
import Testing

@Suite("Whitening")
struct WhiteningTests {
    // Of few tokens all are looked at. The first of eight dimensions is in all of them, so that they go together; the fifth does not vary. Each is far from 0
    // and on a scale of its own.
    private func data(count: Int = 12) throws -> ActivationSet {
        var first = Float(0)
        return try needleSet(count: count, width: 8, needles: 3).mapped { i, value in
            if i % 8 == 0 { first = value }
            return i % 8 == 4 ? 7 : Float(10 * (i % 8)) + Float(1 + i % 8) * (value + 3 * first)
        }
    }

    private func rows(_ data: ActivationSet) -> [[Double]] { data.indices.flatMap { data[$0].doubles } }

    private func covariance(_ rows: [[Double]]) -> [[Double]] {
        let means = rows[0].indices.map { d in rows.reduce(0) { $0 + $1[d] } / Double(rows.count) }
        return means.indices.map { d in
            means.indices.map { e in
                rows.reduce(0) { $0 + ($1[d] - means[d]) * ($1[e] - means[e]) } / Double(rows.count)
            }
        }
    }

    // The states that a probe of one weight sees, a weight after the other: W·w is a row on the tokens as they are.
    private func whitened(_ data: ActivationSet, _ standardization: Standardization) -> [[Double]] {
        let tensors = ProbeConfiguration(.mean).architecture(width: 8, outputs: 8).tensors
        let units =
            (0..<8).flatMap { o in (0..<8).map { Float(o == $0 ? 1 : 0) } } + [Float](repeating: 0, count: 8)
        let folded = standardization.fold(units, tensors)
        return rows(data).map { x in
            (0..<8).map { o in
                (0..<8).reduce(Double(folded[64 + o])) { $0 + Double(folded[8 * o + $1]) * x[$1] }
            }
        }
    }

    // By the definition: column k of M is s_k·r_k, with r_k those of A^(-1/2), A = C + 0.3·I. So s_k² = M_k·A·M_k, different
    // columns are orthogonal by A, and the root is symmetric. What is whitened has variance 1.
    @Test func theMatrixIsTheInverseRoot() throws {
        let data = try data()
        let standard = try Standardization(data, threads: 2)
        let correlations = covariance(whitened(data, standard))
        var columns = (0..<64).map { Float($0 % 9 == 0 ? 1 : 0) }
        try Whitening(data, isInterrupted: { false }) { token in
            for d in 0..<8 { token[d] = Float((Double(token[d]) - standard.mean[d]) * standard.scale[d]) }
        }.fold(&columns, in: columns.indices)
        func byA(_ k: Int, _ l: Int) -> Double {
            (0..<8).reduce(0) { sum, d in
                (0..<8).reduce(sum) { sum, e in
                    let a = correlations[d][e] + (d == e ? 0.3 : 0)
                    return sum + Double(columns[8 * k + d]) * a * Double(columns[8 * l + e])
                }
            }
        }
        let varying = (0..<8).filter { $0 != 4 }
        #expect(columns[32..<40].allSatisfy { $0 == 0 })
        for k in varying {
            for l in varying where l != k {
                let (own, other) = (byA(k, k).squareRoot(), byA(l, l).squareRoot())
                #expect(correlations[k][l] > 0.8 && abs(byA(k, l)) < 1e-4 * own * other)
                #expect(abs(Double(columns[8 * k + l]) / own - Double(columns[8 * l + k]) / other) < 1e-4)
            }
        }
        let found = covariance(whitened(data, try Standardization(data, threads: 2, whitens: true)))
        for d in 0..<8 { #expect(abs(found[d][d] - (d == 4 ? 0 : 1)) < 1e-3) }
    }

    // On one token a sequence, a linear probe's products with whitened states are those with folded rows.
    @Test func statesAreWhatFoldedRowsSee() throws {
        let states = randomFloats(300 * 6, seed: 1)
        let batch = try RaggedBatch(
            tokens: TokenMatrix(states.indices.map { states[$0] + states[$0 / 6 * 6] }, columns: 6),
            offsets: Array(0...300))
        let data = try ActivationSet([
            ActivationFile(batch, targets: .classes((0..<300).map { $0 % 2 }), classes: ["a", "b"])
        ])
        let architecture = ProbeConfiguration.mean.architecture(width: 6, outputs: 1)
        let task = try data.task(), parameters = randomFloats(7, seed: 2).map(Double.init)
        func gradient(_ isLinear: Bool) throws -> (loss: Double, gradient: [Double]) {
            try StandardizedObjective(
                training: Objective(architecture, data, task, threads: 1),
                standardization: Standardization(data, threads: 1, whitens: true),
                tensors: architecture.tensors,
                task: task, l2: 0.5, isLinear: isLinear
            ).penalizedGradient(parameters)
        }
        let (together, oneByOne) = (try gradient(true), try gradient(false))
        #expect(abs(together.loss - oneByOne.loss) < 1e-6 * oneByOne.loss)
        #expect(
            relativeError(together.gradient.map { Float($0) }, oneByOne.gradient.map { Float($0) }) < 1e-5)
    }

    // A weight of two counts like the sequence twice.
    @Test func weightsCountLikeRepetitions() throws {
        let data = try data(count: 6)
        let weighted = try ActivationSet([
            ActivationFile(
                data.files[0].batch, targets: data.targets, weights: data.indices.map { Float($0 % 3 + 1) })
        ])
        let repeated = data.selecting(data.indices.flatMap { Array(repeating: $0, count: $0 % 3 + 1) })
        func found(_ set: ActivationSet) throws -> [Float] {
            let tensors = ProbeConfiguration(.mean).architecture(width: 8, outputs: 1).tensors
            return try Standardization(set, threads: 1, whitens: true).fold(randomFloats(9, seed: 3), tensors)
        }
        #expect(try relativeError(found(weighted), found(repeated)) < 1e-3)
    }

    // The probe is one on the states as they are, the same bits on any number of threads, and says how it was trained.
    @Test(arguments: [Optimizer.adamw, .lbfgs]) func aProbeIsTrained(optimizer: Optimizer) throws {
        let data = try data(count: 60)
        var options = TrainingOptions(optimizer)
        (options.whitens, options.epochs) = (true, 15)
        func fit(_ threads: Int) throws -> Probe {
            options.threads = threads
            return try Trainer(.attention(heads: 2), options: options).fit(data).probe
        }
        let probe = try fit(1)
        #expect(try fit(3).parameters == probe.parameters)
        #expect(try probe.training["whiten"] == "true" && #require(probe.evaluate(data).auroc) > 0.9)
        options.whitens = false
        #expect(try fit(1).parameters != probe.parameters && fit(1).training["whiten"] == nil)
    }

    @Test func itEndsWhereItIsInterrupted() throws {
        let data = try data()
        #expect(throws: CancellationError.self) {
            try Whitening(data, isInterrupted: { true }) { _ in }
        }
    }
}
