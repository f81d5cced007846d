@testable import AttentionProbes
import Testing

@Suite("Figures by length")
struct LengthFiguresTests {
    @Test func thirds() {
        let thirds = LengthFigures.thirds(
            lengths: [5, 9, 1, 7, 3, 2], labels: [1, 1, 0, 0, 1, 0], predictions: [1, 0, 0, 1, 0, 0],
            scores: [2, -1, -3, 1, -2, -1])
        #expect(thirds.map(\.name) == ["short", "middle", "long"])
        #expect(thirds.map(\.tokens) == [1...2, 3...5, 7...9])
        #expect(thirds.map(\.accuracy) == [1, 0.5, 0])
        // The short ones are all of one class, and so are the middle ones.
        #expect(thirds.map(\.auroc) == [nil, nil, 0])
    }

    @Test func equalLengthsStayTogether() {
        let thirds = LengthFigures.thirds(
            lengths: [4, 4, 4, 4, 9], labels: [0, 1, 2, 0, 1], predictions: [0, 1, 1, 0, 1], scores: nil)
        #expect(thirds.map(\.sequences) == [4, 1] && thirds.map(\.auroc) == [nil, nil])
        #expect(thirds.map(\.name) == ["short", "long"])
        let one = LengthFigures.thirds(lengths: [3], labels: [1], predictions: [1], scores: nil)
        #expect(one.map(\.name) == ["short"])
    }
}
