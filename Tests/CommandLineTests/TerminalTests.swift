import AttentionProbes
import Foundation
import TestSupport
import Testing

@Suite("What a terminal shows of data")
struct TerminalTests {
    private let folder: TemporaryFolder
    private let whole = LiteralActivations()

    init() throws { folder = try TemporaryFolder() }

    private func trained(_ data: String, _ options: String...) throws -> String {
        let probe = folder("probe")
        let made = try Command.start(
            ["train", data, "--kind", "mean", "--out", probe, "--quiet"] + options
        ).wait()
        #expect(made.status == 0, "\(made)")
        return probe
    }

    private func named(_ first: String, _ second: String) throws -> String {
        try folder.write(
            whole.described(
                by:
                    #"{"format":"attention-probes/activations","version":"1","classes":"[\"\#(first)\",\"\#(second)\"]"}"#
            ).file, to: "data")
    }

    /// Numbers that a document has and is predicted to have, and a threshold that four decimals would call 1.
    @Test func documentsOfNumbersAndThresholdsNearOne() throws {
        let numbers = try folder.write(
            whole.with("labels", "F32", [2], floatBytes(1.5, -2))
                .described(by: #"{"format":"attention-probes/activations","version":"1"}"#).file,
            to: "numbers")
        let probe = folder("probe")
        try Probe(.last, width: 2, task: .regression(outputs: 1), parameters: [0, 0, 0.25]).write(to: probe)
        let shown = try Command.run("evaluate", probe, numbers, "--documents", "2", "--bootstrap", "0")
        #expect(shown.status == 0 && shown.output.contains(": 0.25, labelled 1.5\n"), "\(shown)")
        try Probe(
            .last, width: 2, task: .binary(classes: ["no", "yes"]), parameters: [0, 0, 0], threshold: 0.99997
        ).write(to: probe)
        let data = try named("no", "yes")
        let near = try Command.run("evaluate", probe, data, "--bootstrap", "0")
        #expect(near.output.contains(" 1 - 3e-05"), "\(near)")
    }

    /// Wide characters take two columns, marks on another none.
    @Test func columnsStandUnderEachOther() throws {
        let data = try named("否定的な文章", "cafe\u{301}")
        let table = try Command.run("evaluate", trained(data), data, "--bootstrap", "0").output
        let lines = table.split(separator: "\n").map(String.init)
        let head = try #require(lines.firstIndex { $0.hasPrefix("label \\ predicted") })
        // 12 columns of the longer name and 2 between.
        #expect(
            lines[head] == "label \\ predicted" + "  否定的な文章" + String(repeating: " ", count: 10)
                + "cafe\u{301}")
        let first = lines[head + 1], second = lines[head + 2]
        #expect(first.hasPrefix("否定的な文章     ") && first.count == 17 + 28 - 6, "\(table)")
        #expect(second.hasPrefix("cafe\u{301}             ") && second.count == 17 + 28, "\(table)")
    }

    /// Marks that turn or hide text do not reach the terminal.
    @Test func marksOfDirectionAreReplaced() throws {
        let data = try named("\u{202E}on", "y\u{200F}\u{2067}\u{200B}es")
        let probe = try trained(data)
        for arguments in [
            ["evaluate", probe, data, "--bootstrap", "0", "--documents", "1"], ["inspect", data],
        ] {
            let text = try Command.start(arguments).wait().output
            #expect(text.contains("\u{FFFD}on"), "\(text)")
            #expect(text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .format }, "\(text)")
        }
    }

    /// A loss and an error in significant digits, whatever the size of the targets.
    @Test(arguments: [(Float(1e-6), "e-1"), (1e9, "e+")])
    func errorsOfAnySize(scale: Float, exponent: String) throws {
        let numbers = whole.with("labels", "F32", [2, 1], floatBytes(0.5 * scale, 2 * scale))
            .described(by: #"{"format":"attention-probes/activations","version":"1"}"#)
        let data = try folder.write(numbers.file, to: "numbers")
        let probe = try trained(data, "--l2", "1000")
        let table = try Command.run("evaluate", probe, data, "--bootstrap", "9").output
        let line = try #require(table.split(separator: "\n").first { $0.hasPrefix("mean squared error") })
        #expect(line.components(separatedBy: exponent).count == 4, "\(table)")
        #expect(table.contains("regression of 1 number\n"))
    }
}
