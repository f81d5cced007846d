@testable import AttentionProbes
import Foundation
import Tensors
import TestSupport
import Testing

@Suite("Probes fitted in one step")
struct ClosedFormTests {
    // Four sequences of two tokens: means (0,0), (0,2) and (2,0), (4,2).
    private func set() throws -> ActivationSet {
        let batch = try RaggedBatch(
            [[-1, 0, 1, 0], [0, 1, 0, 3], [1, 1, 3, -1], [4, 2, 4, 2]], width: 2)
        return try ActivationSet([
            ActivationFile(batch, targets: .classes([0, 0, 1, 1]), classes: ["no", "yes"])
        ])
    }

    @Test func massMean() throws {
        // Class means (0,1) and (3,1): w = (3,0), b = -3·3/2.
        let probe = try Trainer(ProbeConfiguration(.massMean)).fit(set()).probe
        #expect(probe.parameters == [3, 0, -4.5])
    }

    // scikit-learn's formula for the pooled covariance, the shrinkage by its definition, in doubles.
    @Test func shrunkCovariance() throws {
        let (count, width) = (30, 4)
        var values = randomFloats(count * width, seed: 5)
        for n in 0..<count { values[n * width + 1] += 0.8 * values[n * width] }
        for d in 0..<width {
            let mean = (0..<count).reduce(Float(0)) { $0 + values[$1 * width + d] } / Float(count)
            for n in 0..<count { values[n * width + d] -= mean }
        }
        let found = ClosedForm(kind: .lda).shrunkCovariance(
            Matrix(rows: count, columns: width, storage: values))
        func c(_ n: Int, _ d: Int) -> Double { Double(values[n * width + d]) }
        let n = Double(count)
        var (s, variances, total) = ([[Double]](), 0.0, 0.0)
        for i in 0..<width {
            s.append((0..<width).map { j in (0..<count).reduce(0) { $0 + c($1, i) * c($1, j) } / (n - 1) })
            for j in 0..<width where j != i {
                let mean = s[i][j] * (n - 1) / n
                variances +=
                    (0..<count).reduce(0) { $0 + pow(c($1, i) * c($1, j) - mean, 2) } * n / pow(n - 1, 3)
                total += s[i][j] * s[i][j]
            }
        }
        let shrinkage = variances / total
        #expect(shrinkage > 0 && shrinkage < 1)
        for i in 0..<width {
            for j in 0..<width {
                let expected = i == j ? s[i][j] : (1 - shrinkage) * s[i][j]
                #expect(abs(found[i * width + j] - expected) < 1e-5)
            }
        }
    }

    // More dimensions than sequences, one of them constant: the covariance can still be inverted.
    @Test func moreDimensionsThanSequences() throws {
        let data = try needleSet(count: 12, width: 40, needles: 4)
        let probe = try Trainer(ProbeConfiguration(.lda)).fit(data).probe
        #expect(try #require(probe.evaluate(data).auroc) > 0.95)
    }

    @Test func severalClassesAreRefused() throws {
        let batch = try RaggedBatch([[1], [2], [3]], width: 1)
        let set = try ActivationSet([ActivationFile(batch, targets: .classes([0, 1, 2]))])
        let error = try #require(throws: DataError.self) {
            try Trainer(ProbeConfiguration(.lda)).fit(set)
        }
        #expect(error.description.contains("two classes for a lda probe"))
    }
}
