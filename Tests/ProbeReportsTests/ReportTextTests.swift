import AttentionProbes
@testable import ProbeReports
import TestSupport
import Testing

@Suite("What pages say of names, of large and small numbers and of many outputs")
struct ReportTextTests {
    private func report(
        _ targets: Targets, _ task: ProbeTask, lengths: [Int], bootstrap: Bootstrap? = nil
    ) throws -> String {
        let batch = try randomBatch(lengths: lengths, width: 8, seed: 7)
        let data = try ActivationSet([ActivationFile(batch, targets: targets, classes: task.classes)])
        let configuration = ProbeConfiguration.attention(heads: 8)
        let count = configuration.architecture(width: 8, outputs: task.outputs).tensors.parameterCount
        let probe = Probe(
            configuration, width: 8, task: task, parameters: randomFloats(count, seed: 9, scale: 0.5))
        return try ProbeReport(
            probe, data, options: .init(bootstrap: bootstrap, probeName: "a probe")
        ).html
    }

    /// A mark that turns text, and the end of an isolate, turn no number of the page.
    @Test func namesTurnNothing() throws {
        #expect("yes 1".isolated == "yes 1")
        #expect("\u{2069}\u{202E}é".isolated == "\u{2068}é\u{2069}")
        #expect("שלום".isolated == "\u{2068}שלום\u{2069}")
        let names = ["\u{202E}on", "yes\u{202E}"]
        let page = try report(
            .classes((0..<20).map { $0 % 2 }), .binary(classes: names),
            lengths: Array(repeating: 3, count: 20))
        #expect(page.contains("counts as \u{2068}yes\u{2069} from a probability of 0.5"))
        #expect(page.contains("binary: \u{2068}on\u{2069}, \u{2068}yes\u{2069} · 20 sequences · 60 tokens"))
    }

    /// Errors have the size of the targets, and so have their intervals.
    @Test(arguments: [(Float(1e-6), "e-1"), (1e9, "e+1")])
    func errorsOfAnySize(scale: Float, exponent: String) throws {
        let batch = try randomBatch(lengths: Array(repeating: 3, count: 40), width: 8, seed: 7)
        let values = Matrix(
            rows: 40, columns: 1, storage: randomFloats(40, seed: 2, scale: scale))
        let data = try ActivationSet([ActivationFile(batch, targets: .values(values))])
        let task = ProbeTask.regression(outputs: 1)
        let count = ProbeConfiguration(.mean).architecture(width: 8, outputs: 1).tensors.parameterCount
        let probe = Probe(
            ProbeConfiguration(.mean), width: 8, task: task,
            parameters: Array(repeating: 0, count: count))
        let html = try ProbeReport(probe, data, options: .init(bootstrap: Bootstrap(replicates: 20))).html
        let figure = try #require(
            html.firstMatch(
                of: /<dt>mean squared error<\/dt><dd><b>([^<]+)<\/b><span>95 %: ([^<]+) – ([^<]+)</))
        for text in [figure.1, figure.2, figure.3] { #expect(text.contains(exponent), "\(text)") }
    }

    /// Plots and documents together stay below the promised size, and all outputs are in a table.
    @Test func manyOutputs() throws {
        let values = Matrix(rows: 900, columns: 60, storage: randomFloats(900 * 60, seed: 2))
        let page = try report(
            .values(values), .regression(outputs: 60), lengths: Array(repeating: 250, count: 900))
        #expect((3_000_000..<5_000_000).contains(page.utf8.count), "\(page.utf8.count)")
        #expect(page.contains("Plots are of the first 24 of 60 outputs; tables have all"))
        #expect(page.contains("Metrics by output") && page.contains("\"row\">output 59</th>"))
        #expect(page.contains("more were chosen") && !page.contains("No document was asked for"))
    }

    /// Where every document would be too large there is one reason, not two.
    @Test func documentsThatAreAllTooLarge() throws {
        let page = try report(
            .classes([0, 1]), .binary(classes: ["no", "yes"]), lengths: [60_000, 60_000])
        #expect(page.contains("2 were chosen and left out") && !page.contains("No document was asked for"))
    }
}
