import Foundation
import TestSupport
import Testing

/// Opens a page of several labels, with names that are long or turn the direction of text.
@Suite(.enabled(if: Browser.isInstalled, "chromium and chromium-driver are not installed"))
struct BrowserNamesTests {
    @Test(.timeLimit(.minutes(2)))
    func namesThatAreLongOrTurn() throws {
        let folder = try TemporaryFolder()
        let long = String(repeating: "long", count: 60)
        let data = try folder.write(
            LiteralActivations().with("labels", "U8", [2, 3], [1, 1, 0, 0, 0, 0])
                .described(
                    by: #"{"format":"attention-probes/activations","version":"1","#
                        + #""classes":"[\"\u202Eturned\",\"\#(long)\",\"x\"]"}"#
                ).file, to: "data")
        let (probe, page) = (folder("probe"), folder("page.html"))
        let trained = try Command.run("train", data, "--heads", "2", "--epochs", "2", "--out", probe)
        #expect(trained.status == 0, "\(trained)")
        #expect(try Command.run("report", probe, data, "--out", page, "--bootstrap", "0").status == 0)
        let browser = try Browser()
        try browser.open(page)
        try browser.devTools(
            "Emulation.setDeviceMetricsOverride",
            ["width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": false])
        let documents = "document.getElementById('documents').scrollIntoView({ behavior: 'instant' }); "
        let deadline = Date(timeIntervalSinceNow: 20)
        while try browser.run(documents + "return document.querySelectorAll('.verdict').length") as Int == 0,
            Date() < deadline
        { usleep(50_000) }

        let width: Int = try browser.run("return document.documentElement.scrollWidth")
        #expect(width <= 390)
        // The name stands before its numbers, and these are read from left to right.
        let order: Bool = try browser.run(
            """
            const name = [...document.querySelectorAll('.verdict bdi')].find((e) => e.textContent.includes('turned'));
            const text = name.nextElementSibling.firstChild;
            const at = (i) => {
              const range = document.createRange();
              range.setStart(text, i); range.setEnd(text, i + 1);
              return range.getBoundingClientRect().left;
            };
            return name.getBoundingClientRect().left < at(0) && at(0) < at(1) && at(1) < at(2) && at(2) < at(3);
            """)
        #expect(order)

        // Single labels to choose from; a document needs just that one, or has none.
        let choices: [String] = try browser.run(
            "return [...document.getElementsByName('label')[0].options].map((o) => o.textContent)")
        #expect(choices.count == 4 && choices[0] == "any" && choices[3] == "none", "\(choices)")
        for choice in 1...3 {
            let shown: Int = try browser.run(
                """
                const field = document.getElementsByName('label')[0];
                field.selectedIndex = \(choice);
                field.dispatchEvent(new Event('change'));
                return document.querySelectorAll('.document').length;
                """)
            #expect(shown == 1)
        }
        #expect(try browser.console() == [])
        try browser.quit()
    }
}
