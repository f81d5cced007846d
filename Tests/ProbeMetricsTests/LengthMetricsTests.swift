import Foundation
import AttentionProbes
@testable import ProbeMetrics
import Testing

@Suite("Metrics by length")
struct LengthMetricsTests {
    private func binary(_ labels: [Int], _ scores: [Float]) -> Outcomes {
        Outcomes(
            .binary(classes: ["no", "yes"]), .classes(labels),
            logits: Matrix(rows: scores.count, columns: 1, storage: scores))
    }

    private func keys(_ metrics: [LengthMetrics]) throws -> [String] {
        let json = try JSONSerialization.jsonObject(with: JSONEncoder().encode(metrics))
        return ((json as? [[String: Any]])?.first?.keys.sorted()) ?? []
    }

    @Test func thirds() throws {
        let thirds = LengthMetrics.thirds(
            lengths: [5, 9, 1, 7, 3, 2], binary([1, 1, 0, 0, 1, 0], [2, -1, -3, 1, -2, -1]))
        #expect(thirds.map(\.name) == ["short", "middle", "long"])
        #expect(thirds.map(\.tokens) == [1...2, 3...5, 7...9])
        #expect(thirds.map { $0(.accuracy) } == [1, 0.5, 0])
        // The short ones are all of one class, and so are the middle ones.
        #expect(thirds.map { $0(.auroc) } == [nil, nil, 0])
        #expect(try keys(thirds) == ["accuracy", "auroc", "name", "sequences", "tokens"])
    }

    @Test func equalLengthsStayTogether() {
        let thirds = LengthMetrics.thirds(
            lengths: [4, 4, 4, 4, 9], binary([0, 1, 0, 0, 1], [1, 1, 1, 1, 1]))
        #expect(thirds.map(\.sequences) == [4, 1] && thirds.map { $0(.auroc) } == [0.5, nil])
        #expect(thirds.map(\.name) == ["short", "long"])
        #expect(LengthMetrics.thirds(lengths: [3], binary([1], [1])).map(\.name) == ["short"])
    }

    // One class is found among the short sequences and the other among the long ones.
    @Test func severalLabels() {
        let labels: [[Float]] = [[1, 0], [0, 1], [1, 1], [0, 0]]
        let logits: [[Float]] = [[2, 1], [-2, -1], [-1, 3], [1, -3]]
        let all = Outcomes(
            .multilabel(classes: ["a", "b"]),
            .values(Matrix(rows: 4, columns: 2, storage: labels.flatMap(\.self))),
            logits: Matrix(rows: 4, columns: 2, storage: logits.flatMap(\.self)))
        let thirds = LengthMetrics.thirds(lengths: [1, 1, 5, 5], all)
        #expect(thirds.map { $0(.auroc) } == [0.5, 0.5] && thirds.map { $0(.accuracy) } == [0, 0])
        #expect(Metric.f1(all.sample(of: [1, 1, 1])) == 0 && Metric.accuracy(all.sample(of: [2])) == 0)
        #expect(Metric.auroc(all.sample(of: [0, 0, 1])) == 0.5 && Metric.auroc(all.sample(of: [0])) == nil)
    }

    @Test func numbers() throws {
        let (targets, predictions): ([Float], [Float]) = ([1, 2, 3, 5, 5], [1, 2, 2, 5, 4])
        let all = Outcomes(
            .regression(outputs: 1), .values(Matrix(rows: 5, columns: 1, storage: targets)),
            logits: Matrix(rows: 5, columns: 1, storage: predictions))
        let thirds = LengthMetrics.thirds(lengths: [1, 1, 2, 2, 8], all)
        // r2_score([1, 2], [1, 2]) and r2_score([3, 5], [2, 5]); one target does not vary.
        #expect(thirds.map { $0(.r2) } == [1, 0.5, nil] && thirds.allSatisfy { $0(.accuracy) == nil })
        #expect(try keys(thirds) == ["name", "r2", "sequences", "tokens"])
    }
}
