import Foundation
import Tensors
import Testing

@testable import AttentionProbes

@Suite("Figures by length")
struct LengthFiguresTests {
    private func binary(_ labels: [Int], _ scores: [Float]) -> SampleFigures {
        let predictions = scores.map { $0 >= 0 ? 1 : 0 }
        return SampleFigures(
            .binary(classes: ["no", "yes"]), losses: scores.map { _ in 0 }, targets: .classes(labels),
            predictions: predictions.map { [$0] }, logits: scores.map { [$0] },
            classes: [
                ClassFigures(
                    name: "yes", scores: scores, isLabelled: labels.map { $0 == 1 },
                    isPredicted: predictions.map { $0 == 1 })
            ])
    }

    private func keys(_ figures: [LengthFigures]) throws -> [String] {
        let json = try JSONSerialization.jsonObject(with: JSONEncoder().encode(figures))
        return ((json as? [[String: Any]])?.first?.keys.sorted()) ?? []
    }

    @Test func thirds() throws {
        let thirds = LengthFigures.thirds(
            lengths: [5, 9, 1, 7, 3, 2], binary([1, 1, 0, 0, 1, 0], [2, -1, -3, 1, -2, -1]))
        #expect(thirds.map(\.name) == ["short", "middle", "long"])
        #expect(thirds.map(\.tokens) == [1...2, 3...5, 7...9])
        #expect(thirds.map(\.accuracy) == [1, 0.5, 0])
        // The short ones are all of one class, and so are the middle ones.
        #expect(thirds.map(\.auroc) == [nil, nil, 0])
        #expect(try keys(thirds) == ["accuracy", "auroc", "name", "sequences", "tokens"])
    }

    @Test func equalLengthsStayTogether() {
        let thirds = LengthFigures.thirds(
            lengths: [4, 4, 4, 4, 9], binary([0, 1, 0, 0, 1], [1, 1, 1, 1, 1]))
        #expect(thirds.map(\.sequences) == [4, 1] && thirds.map(\.auroc) == [0.5, nil])
        #expect(thirds.map(\.name) == ["short", "long"])
        #expect(LengthFigures.thirds(lengths: [3], binary([1], [1])).map(\.name) == ["short"])
    }

    // One class is found among the short sequences and the other among the long ones.
    @Test func severalLabels() {
        let labels: [[Float]] = [[1, 0], [0, 1], [1, 1], [0, 0]]
        let logits: [[Float]] = [[2, 1], [-2, -1], [-1, 3], [1, -3]]
        let predictions = logits.map { row in row.indices.filter { row[$0] >= 0 } }
        let sample = SampleFigures(
            .multilabel(classes: ["a", "b"]), losses: [0, 0, 0, 0],
            targets: .values(Matrix(rows: 4, columns: 2, storage: labels.flatMap(\.self))),
            predictions: predictions, logits: logits,
            classes: (0..<2).map { c in
                ClassFigures(
                    name: "", scores: logits.map { $0[c] }, isLabelled: labels.map { $0[c] == 1 },
                    isPredicted: predictions.map { $0.contains(c) })
            })
        let thirds = LengthFigures.thirds(lengths: [1, 1, 5, 5], sample)
        #expect(thirds.map(\.auroc) == [0.5, 0.5] && thirds.map(\.accuracy) == [0, 0])
        #expect(sample([1, 1, 1])["f1"] == 0 && sample([2])["accuracy"] == 0)
        #expect(sample([0, 0, 1])["auroc"] == 0.5 && sample([0])["auroc"] == nil)
    }

    @Test func numbers() throws {
        let (targets, predictions): ([Float], [Float]) = ([1, 2, 3, 5, 5], [1, 2, 2, 5, 4])
        let sample = SampleFigures(
            .regression(outputs: 1), losses: [0, 0, 1, 0, 1],
            targets: .values(Matrix(rows: 5, columns: 1, storage: targets)),
            predictions: targets.map { _ in [] }, logits: predictions.map { [$0] }, classes: [])
        let thirds = LengthFigures.thirds(lengths: [1, 1, 2, 2, 8], sample)
        // r2_score([1, 2], [1, 2]) and r2_score([3, 5], [2, 5]); one target does not vary.
        #expect(thirds.map(\.r2) == [1, 0.5, nil] && thirds.allSatisfy { $0.accuracy == nil })
        #expect(try keys(thirds) == ["name", "r2", "sequences", "tokens"])
    }
}
