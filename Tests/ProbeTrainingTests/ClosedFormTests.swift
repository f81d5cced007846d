import AttentionProbes
@testable import Probes
import Foundation
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

    @Test func oneWeightThatOutweighsAllIsRefused() throws {
        let batch = try randomBatch(lengths: Array(repeating: 2, count: 12), width: 3, seed: 4)
        func set(_ weight: Float) throws -> ActivationSet {
            try ActivationSet([
                ActivationFile(
                    batch, targets: .classes((0..<12).map { $0 % 2 }), classes: ["no", "yes"],
                    weights: (0..<12).map { $0 == 5 ? weight : 1 })
            ])
        }
        let lda = Trainer(ProbeConfiguration(.lda))
        #expect(try lda.fit(set(1e6)).probe.parameters.allSatisfy(\.isFinite))
        let error = #expect(throws: DataError.self) { try lda.fit(set(1e30)) }
        #expect(error?.place == "tensor weights" && error?.found == "one that outweighs all others")
    }

    @Test func massMean() throws {
        // Class means (0,1) and (3,1): w = (3,0), b = -3·3/2.
        let probe = try Trainer(ProbeConfiguration(.massMean)).fit(set()).probe
        #expect(probe.parameters == [3, 0, -4.5])
    }

    // scikit-learn's formula for the pooled covariance, the shrinkage by its definition, in doubles; with
    // weights that of numpy.cov(aweights:), whatever their scale.
    @Test(arguments: [false, true]) func shrunkCovariance(isWeighted: Bool) throws {
        let (count, width) = (30, 4)
        var values = randomFloats(count * width, seed: 5)
        for n in 0..<count { values[n * width + 1] += 0.8 * values[n * width] }
        for d in 0..<width {
            let mean = (0..<count).reduce(Float(0)) { $0 + values[$1 * width + d] } / Float(count)
            for n in 0..<count { values[n * width + d] -= mean }
        }
        let weights = (0..<count).map { isWeighted ? Double($0 % 4) + 0.5 : 1 }
        let matrix = Matrix(rows: count, columns: width, storage: values)
        let found = LDA.shrunkCovariance(matrix, weights: weights)
        let scaled = LDA.shrunkCovariance(matrix, weights: weights.map { 4 * $0 })
        for (a, b) in zip(found, scaled) { #expect(abs(a - b) < 1e-6) }
        func c(_ n: Int, _ d: Int) -> Double { Double(values[n * width + d]) }
        let n = weights.reduce(0, +)
        let r = weights.reduce(0) { $0 + $1 * $1 } / n
        var (s, variances, total) = ([[Double]](), 0.0, 0.0)
        for i in 0..<width {
            s.append(
                (0..<width).map { j in
                    (0..<count).reduce(0) { $0 + weights[$1] * c($1, i) * c($1, j) } / (n - r)
                })
            for j in 0..<width where j != i {
                let mean = s[i][j] * (n - r) / n
                let squares = (0..<count).reduce(0) {
                    $0 + weights[$1] * pow(c($1, i) * c($1, j) - mean, 2)
                }
                variances += squares * r * n / pow(n - r, 3)
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

    // Means, sizes of classes and, but for the factor of what they are worth, covariances are those of the
    // sequences repeated.
    @Test func weightsCountLikeRepetitions() throws {
        let batch = try randomBatch(lengths: Array(repeating: 3, count: 20), width: 4, seed: 5)
        let labels = (0..<20).map { $0 % 3 == 0 ? 1 : 0 }
        func set(_ weights: [Float]?) throws -> ActivationSet {
            try ActivationSet([ActivationFile(batch, targets: .classes(labels), weights: weights)])
        }
        let weighted = try set((0..<20).map { $0 % 4 == 0 ? 3 : 1 })
        let often = (0..<20).filter { $0 % 4 == 0 }
        let repeated = try set(nil).selecting(Array(0..<20) + often + often)
        let trainer = Trainer(ProbeConfiguration(.massMean))
        let (a, b) = (try trainer.fit(weighted).probe, try trainer.fit(repeated).probe)
        for (a, b) in zip(a.parameters, b.parameters) { #expect(abs(a - b) < 1e-5) }
        let plain = try trainer.fit(set(nil)).probe
        #expect(abs(a.parameters[0] - plain.parameters[0]) > 1e-3)

        let states = randomFloats(20 * 4, seed: 8)
        let rows = Array(0..<20) + often + often
        let copies = rows.flatMap { states[$0 * 4..<($0 + 1) * 4] }
        let one = LDA.shrunkCovariance(
            Matrix(rows: 20, columns: 4, storage: states), weights: (0..<20).map { $0 % 4 == 0 ? 3 : 1 })
        let other = LDA.shrunkCovariance(
            Matrix(rows: 30, columns: 4, storage: copies), weights: Array(repeating: 1, count: 30))
        // Σw = 30 and Σw² = 60: worth 15 sequences.
        for d in 0..<4 {
            let (a, b) = (one[d * 5] * 28, other[d * 5] * 29)
            #expect(abs(a - b) < 1e-3)
        }
    }

    // The mean outputs of the classes are ±the same, moved by log(N₊/N₋).
    @Test func classWeightsSetThePrior() throws {
        let batch = try randomBatch(lengths: Array(repeating: 2, count: 20), width: 3, seed: 6)
        let labels = (0..<20).map { $0 < 14 ? 0 : 1 }
        let data = try ActivationSet([ActivationFile(batch, targets: .classes(labels))])
        for (classWeight, prior) in [(ClassWeight.none, log(6.0 / 14)), (.balanced, 0)] {
            var options = TrainingOptions()
            options.classWeight = classWeight
            let probe = try Trainer(ProbeConfiguration(.lda), options: options).fit(data).probe
            let outputs = try probe.scores(data).logits.storage.map(Double.init)
            let means = outputs[..<14].reduce(0, +) / 14 + outputs[14...].reduce(0, +) / 6
            #expect(abs(means - 2 * prior) < 1e-4)
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
