@testable import AttentionProbes
import TestSupport
import Testing

@Suite("Confidence intervals")
struct BootstrapTests {
    // numpy.quantile([1, 2, 4, 8], [0, 0.025, 0.5, 0.975, 1])
    @Test func quantiles() {
        let values: [Double] = [1, 2, 4, 8]
        let expected = [1, 1.075, 3, 7.7, 8]
        for (share, expected) in zip([0, 0.025, 0.5, 0.975, 1], expected) {
            #expect(abs(quantile(values, share) - expected) < 1e-12)
        }
    }

    // The mean of 100 coin tosses: half, and 1.96 standard errors of 0.05 to each side.
    @Test func theMeanOfATosses() throws {
        let tosses = (0..<100).map { $0 % 2 }
        let interval = try #require(
            Bootstrap(replicates: 4000, seed: 1).intervals(strata: [Array(0..<100)]) { draw in
                [draw.reduce(0.0) { $0 + Double(tosses[$1]) } / 100]
            }[0])
        #expect(abs(interval.lowerBound - 0.402) < 0.02 && abs(interval.upperBound - 0.598) < 0.02)
    }

    @Test func strataKeepTheirSize() throws {
        let sizes = try Bootstrap(replicates: 20).intervals(strata: [[0, 1, 2], [], [3, 4]]) { draw in
            [Double(draw.count { $0 < 3 }), Double(draw.count { $0 >= 3 })]
        }
        #expect(sizes == [3...3, 2...2])
    }

    @Test func theSeedDecidesAndThreadsDoNot() throws {
        let data = try needleSet(count: 40)
        let probe = try Trainer(.mean).fit(data).probe
        func intervals(_ seed: UInt64, _ threads: Int) throws -> [String: ClosedRange<Double>] {
            try probe.evaluate(
                data, threads: threads, bootstrap: Bootstrap(replicates: 50, seed: seed)
            ).intervals
        }
        let reference = try intervals(1, 1)
        #expect(reference.count == 6)
        #expect(try intervals(1, 3) == reference)
        #expect(try intervals(2, 1) != reference)
        let evaluation = try probe.evaluate(data)
        #expect(evaluation.intervals.isEmpty)
        #expect(try #require(reference["auroc"]).contains(#require(evaluation.auroc)))
    }

    @Test func aFigureThatSomeDrawLacksHasNoInterval() throws {
        let found = try Bootstrap(replicates: 30).intervals(strata: [[0, 1]]) { draw in
            [draw[0] == 0 ? nil : 1, 2]
        }
        #expect(found == [nil, 2...2])
    }
}
