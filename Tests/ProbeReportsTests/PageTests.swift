import Foundation
import TestSupport
import Testing

import AttentionProbes
@testable import ProbeReports

@Suite("Report pages")
struct PageTests {
    // A change of the style or the script needs its new hash in Page.swift: the browser would refuse it.
    @Test(arguments: [(Page.style, Page.styleHash), (Page.script, Page.scriptHash)])
    func thePolicyNamesWhatIsInThePage(text: String, hash: String) throws {
        let folder = try TemporaryFolder()
        _ = try folder.write(Array(text.utf8), to: "text")
        let digest = try Command.run(
            "/usr/bin/env", ["sh", "-c", "sha256sum text | cut -d ' ' -f 1"], in: folder.path
        ).output
        let bytes = stride(from: 0, to: 64, by: 2).compactMap { i in
            UInt8(String(Array(digest)[i..<i + 2]), radix: 16)
        }
        #expect(hash == "sha256-" + Data(bytes).base64EncodedString())
        #expect(!text.contains("</"), "it would end its own element")
    }

    @Test func jsonCannotEndItsScript() throws {
        let json = try Page.script(json: ["a": "</script><!--", "b": "\"\u{2028}"])
        #expect(!json.contains("<"))
        #expect(
            try JSONDecoder().decode([String: String].self, from: Data(json.utf8))
                == ["a": "</script><!--", "b": "\"\u{2028}"])
    }

    // The script reads its data; what leaves room for them is known before them.
    @Test func aPageIsItsSectionsAndLittleMore() throws {
        let links = [Page.Link(id: "a&b", name: "<A>")]
        var page = try Page("t", kind: "k", heading: "h", subtitle: "s", contents: "c", links)
        let empty = page.size
        try page.append("documents", DocumentSection(notes: ["one & two"], patterns: nil))
        try page.append("documents", DocumentSection(notes: [], patterns: nil))
        let html = try page.html()
        #expect(page.size > empty + 400 && (page.size..<page.size + 2000).contains(html.utf8.count))
        #expect(html.contains("<a href=\"#a&amp;b\">&lt;A&gt;</a>"))
        #expect(html.contains("<p class=\"note\">one &amp; two</p>") && !html.contains("id=\"data\""))
        #expect(try page.html(data: ["x": "<"]).contains("id=\"data\">{\"x\":\"\\u003c\"}</script>"))
    }

    @Test func axesMarkRoundNumbers() {
        #expect(Axis(0...1, "").ticks.map { brief($0) } == ["0", "0.2", "0.4", "0.6", "0.8", "1"])
        #expect(Axis(-3.7...11.2, "").ticks == [0, 5, 10])
        #expect(Axis(0.84...0.97, "", isRounded: true).range == 0.8...1)
        let single = Axis(2...2, "")
        #expect(single.range.contains(2) && single.place(2) == 0.5 && !single.ticks.isEmpty)
        #expect([7, 1234, -1_234_567].map(\.grouped) == ["7", "1\u{202F}234", "-1\u{202F}234\u{202F}567"])
    }

    @Test func aComparisonIsDrawn() throws {
        let comparison = Comparison(dataSets: [
            .init(
                name: "injection <b>", metric: "AUROC", baseline: "mean",
                rows: [
                    .init(name: "mean", value: 0.83, low: 0.79, high: 0.87),
                    .init(
                        name: "attention, 8 heads", value: 0.92, low: 0.9, high: 0.95, difference: 0.09,
                        differenceLow: 0.05, differenceHigh: 0.12, entropyRatio: 0.71),
                    .init(
                        name: "last", value: 0.72, low: 0.66, high: 0.77, difference: -0.11,
                        differenceLow: -0.16,
                        differenceHigh: -0.05),
                ]),
            .init(name: "nothing", metric: "accuracy", baseline: "mean", rows: []),
        ])
        let again = try JSONDecoder().decode(Comparison.self, from: JSONEncoder().encode(comparison))
        #expect(again == comparison)
        let folder = try TemporaryFolder()
        let report = try ComparisonReport(comparison)
        try report.write(to: folder("page.html"))
        #expect(try String(contentsOfFile: folder("page.html"), encoding: .utf8) == report.html)
        #expect(report.html.contains("injection &lt;b&gt;") && !report.html.contains("<b>"))
        #expect(report.html.components(separatedBy: "<svg ").count == 4)
        #expect(report.html.contains("1 of 2 are above it with all of their interval"))
        #expect(report.html.contains("No probe was compared on this set"))
        // The best is at the top, and the baseline's line goes through its dot.
        let rows = try #require(report.html.range(of: "\"row\">attention, 8 heads</th>")).lowerBound
        let baseline = try #require(report.html.range(of: "\"row\">mean</th>")).lowerBound
        #expect(rows < baseline)
    }
}
