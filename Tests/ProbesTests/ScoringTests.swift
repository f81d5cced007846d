import AttentionProbes
import Foundation
import TestSupport
import Testing

@Suite("Scores")
struct ScoringTests {
    private func probe(_ parameters: [Float], _ task: ProbeTask = .binary(classes: ["no", "yes"])) -> Probe {
        Probe(.mean, width: 1, task: task, parameters: parameters)
    }

    @Test func productsBeyondFloatAreAnError() throws {
        let set = try ActivationSet([ActivationFile(RaggedBatch([[1], [1e30]], width: 1))])
        let error = try #require(throws: DataError.self) { try probe([1e30, 0]).scores(set) }
        #expect(error.rule == .overflow && error.description.contains("sequence 1"))
    }

    @Test func anotherWidthIsAnError() throws {
        let set = try ActivationSet([ActivationFile(RaggedBatch([[1, 2]], width: 2))])
        #expect(try #require(throws: DataError.self) { try probe([1, 0]).scores(set) }.rule == .mismatch)
    }

    @Test func idsAreThoseOfAllSequences() throws {
        let file = try ActivationFile(RaggedBatch([[1], [2], [3]], width: 1))
        let set = try ActivationSet([file, file]).selecting([2, 4])
        #expect(set.id(0) == "2" && set.id(1) == "4")
    }

    // Tokens hidden at the start must cost no precision: positions count from the first unmasked one.
    @Test(arguments: [-0.5, 0.5] as [Float])
    func maskedTokensMoveNothing(position: Float) throws {
        let tokens = randomFloats(20 * 3, seed: 1)
        let parameters = randomFloats(6, seed: 2) + [0.3, position]
        let probe = Probe(
            .attention(heads: 1), width: 3, task: .binary(classes: ["no", "yes"]), parameters: parameters)
        let padding = [Float](repeating: 7, count: 4000 * 3)
        let padded = try RaggedBatch(
            tokens: TokenMatrix(padding + tokens, columns: 3), offsets: [0, 4020],
            tokenMask: Array(repeating: false, count: 4000) + Array(repeating: true, count: 20))
        let plain = try RaggedBatch([tokens], width: 3)
        let scores = try [padded, plain].map {
            try probe.scores(ActivationSet([ActivationFile($0)])).logits[0, 0]
        }
        #expect(scores[0] == scores[1])
    }

    @Test func figuresOfOneClassAreNull() throws {
        let batch = try RaggedBatch([[1], [2]], width: 1)
        let set = try ActivationSet([ActivationFile(batch, targets: .classes([1, 1]))])
        let evaluation = try probe([1, 0], .binary(classes: ["0", "1"])).evaluate(set)
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let json = String(decoding: try encoder.encode(evaluation), as: UTF8.self)
        #expect(json.contains("\"auroc\":null") && json.contains("\"recall_at_1_fpr\":null"))
        #expect(json.contains("\"accuracy\":1") && json.contains("\"average_precision\":1"))
    }

    @Test func csvQuotesWhateverNeedsIt() throws {
        // A quotation mark with an accent behind it is one character.
        let task = ProbeTask.multilabel(classes: ["a,b", "line\nbreak", "quo\"\u{301}te"])
        let set = try ActivationSet([ActivationFile(RaggedBatch([[1]], width: 1))])
        let probe = probe([1, 1, 1, 0, 0, 0], task)
        var writer = ScoreWriter(.csv, [probe], names: ["probe"], set)
        let text = String(decoding: try writer.head + writer.rows([probe.scores(set)]), as: UTF8.self)
        #expect(text.contains("\"logit_a,b\",\"logit_line\nbreak\",\"logit_quo\"\"\u{301}te\""))
        #expect(text.hasSuffix(",\"a,b;line\nbreak;quo\"\"\u{301}te\"\r\n"))
    }

    @Test func regressionRows() throws {
        let set = try ActivationSet([ActivationFile(RaggedBatch([[2]], width: 1))])
        let probe = probe([3, 1], .regression(outputs: 1))
        var writer = ScoreWriter(.jsonl, [probe], names: ["probe"], set)
        let row = String(decoding: try writer.rows([probe.scores(set)]), as: UTF8.self)
        #expect(row == "{\"id\":\"0\",\"logits\":[7.0],\"probabilities\":[],\"label\":null}\n")
    }

    @Test func theFirstOfEqualClassesIsPredicted() {
        let task = ProbeTask.multiclass(classes: ["a", "b", "c"])
        #expect(task.predictedClasses(task.probabilities([1, 2, 2]), threshold: 0.5) == [1])
        #expect(ProbeTask.binary(classes: ["a", "b"]).predictedClasses([0.5], threshold: 0.5) == [1])
    }
}
