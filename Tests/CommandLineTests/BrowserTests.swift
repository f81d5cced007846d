import AttentionProbes
import Foundation
import TestSupport
import Testing

/// Opens pages in a real browser.
@Suite(
    "Report pages in Chromium", .serialized,
    .enabled(if: Browser.isInstalled, "chromium and chromium-driver are not installed"))
struct BrowserTests {
    private let folder: TemporaryFolder
    private let page: String

    init() throws {
        folder = try TemporaryFolder()
        page = folder("report.html")
    }

    // Helpers of the scripts below.
    private static let helpers = """
        const all = (s) => [...document.querySelectorAll(s)];
        const shades = () => all(".document:first-child .token").map((t) => t.style.getPropertyValue("--w")).join();
        const choose = (name, value) => {
          const field = document.getElementsByName(name)[0];
          field.value = value;
          field.dispatchEvent(new Event(name === "search" ? "input" : "change"));
        };
        const count = () => document.querySelector(".count").textContent;
        """

    private func text(_ browser: Browser, _ script: String) throws -> String {
        try browser.run(Self.helpers + "return String(" + script + ");")
    }

    private func number(_ browser: Browser, _ script: String) throws -> Double {
        try browser.run(Self.helpers + "return Number(" + script + ");")
    }

    private func act(_ browser: Browser, _ script: String) throws {
        let _: Bool = try browser.run(Self.helpers + script + "; return true;")
    }

    // Documents are made when they come into sight.
    private func goToDocuments(_ browser: Browser) throws {
        let deadline = Date(timeIntervalSinceNow: 20)
        try act(browser, "document.getElementById('documents').scrollIntoView({ behavior: 'instant' })")
        while try number(browser, "all('.document:first-child .token').length") == 0, Date() < deadline {
            usleep(50_000)
        }
    }

    private func expectClean(_ browser: Browser, _ path: String) throws {
        #expect(try browser.console() == [])
        #expect(try browser.requests() == ["file://" + path])
    }

    @Test(.timeLimit(.minutes(2)))
    func theReportOfTheExamples() throws {
        let probe = folder("probe.safetensors")
        #expect(
            try Command.run("train", Command.example("injection-train"), "--out", probe, "--quiet").status
                == 0)
        let made = try Command.run("report", probe, Command.example("injection-test"), "--out", page)
        #expect(made.status == 0 && made.output.isEmpty && made.error.contains("wrote"), "\(made)")
        let browser = try Browser()
        try browser.open(page)

        // What is on the page.
        #expect(try text(browser, "document.title") == "probe · probe report")
        #expect(try text(browser, "document.querySelector('.headline dt').textContent") == "AUROC")
        #expect(try number(browser, "document.querySelector('.headline b').textContent") > 0.86)
        #expect(try number(browser, "all('svg[role=img] > title').length") == 8)
        #expect(try number(browser, "all('svg > desc').filter((d) => d.textContent.length > 40).length") == 8)
        #expect(try text(browser, "all('#attention .panel:not([hidden])').length") == "1")
        let documents = try number(browser, "all('.document').length")
        #expect(documents > 25)
        // Those out of sight are there, too, a moment later, the mistakes first.
        let deadline = Date(timeIntervalSinceNow: 20)
        while try number(browser, "all('.document:not(:has(.token))').length") > 0, Date() < deadline {
            usleep(50_000)
        }
        #expect(try number(browser, "all('.document:has(.token)').length") == documents)
        let wrong = try number(
            browser, "/Worst mistakes .(\\d+)/.exec(all('select[name=group]')[0].textContent)[1]")
        #expect(
            try number(
                browser,
                "all('.document').findIndex((d) => !/false (posi|nega)tive/.test(d.textContent))") >= wrong)
        try goToDocuments(browser)

        // Beside each metric stands what a constant prediction has.
        #expect(
            try text(browser, "document.querySelector('.headline dd').textContent")
                .contains("constant: 0.500"))

        // Every plot is a picture of its own, in the colours that it has here.
        #expect(try number(browser, "all('figure').length - all('figure svg').length") == 0)
        #expect(try number(browser, "all('figure.plot:not(:has(.copy button))').length") == 0)
        #expect(
            try number(
                browser,
                """
                all("figure").map(picture).filter((svg) => {
                  const root = new DOMParser().parseFromString(svg, "image/svg+xml").documentElement;
                  return root.tagName === "svg" && root.querySelector("svg") && !/class=|var\\(/.test(svg);
                }).length
                """) == number(browser, "all('figure').length"))

        // Which kinds of documents are predicted wrong, by their ids.
        try act(browser, "choose('pattern', 'bn-enc')")
        #expect(
            try number(
                browser, "all('.document h3').filter((d) => !d.textContent.includes('+bn-enc-')).length")
                == 0)
        try act(browser, "choose('pattern', '')")

        // Heads, and what tokens add.
        let sum = try text(browser, "shades()")
        try act(browser, "choose('head', '2')")
        let third = try text(browser, "shades()")
        #expect(sum != third)
        try act(browser, "choose('shade', 'values')")
        #expect(try number(browser, "all('.token.plus').length * all('.token.minus').length") > 0)
        #expect(try number(browser, "all('.token.attention').length") == 0)
        try act(browser, "choose('shade', 'attention'); choose('head', '')")
        #expect(try text(browser, "shades()") == sum)

        // Exact numbers under the arrow keys.
        try act(browser, "document.querySelector('.tokens').focus()")
        try browser.press("\u{E014}\u{E014}")
        let readout = try text(browser, "document.querySelector('.readout').textContent")
        #expect(readout.contains("token 3 of ") && readout.contains("attention 0."), "\(readout)")
        #expect(readout.contains("contribution to injection"), "\(readout)")

        // Filters.
        try act(browser, "choose('outcome', 'false positive')")
        let mistakes = try number(browser, "all('.document').length")
        #expect(mistakes > 0 && mistakes < documents)
        #expect(try text(browser, "count()") == "\(Int(mistakes)) of \(Int(documents)) documents")
        try act(
            browser, "choose('outcome', ''); choose('label', 'benign'); choose('search', 'no such words')")
        #expect(try number(browser, "all('.document').length") == 0)
        try act(browser, "choose('search', ''); choose('label', ''); choose('group', 'hits')")
        #expect(try number(browser, "all('.document').length") == 25)

        // Copies.
        try act(
            browser,
            """
            window.copied = []; navigator.clipboard.writeText = async (t) => { window.copied.push(t); };
            all('#metrics .copy button')[0].click(); all('#metrics .copy button')[1].click();
            all('.document .copy button')[0].click()
            """)
        #expect(try text(browser, "window.copied[0].split('\\r\\n')[0]") == "metric,value,95 % from,to")
        #expect(try text(browser, "typeof JSON.parse(window.copied[1])[0].value") == "number")
        #expect(
            try text(browser, "window.copied[2].split('\\r\\n')[0]")
                == "document,position,token,head,attention,contribution to injection")

        // The list of documents that are shown, an output a row.
        try act(browser, "window.copied = []; choose('group', 'mistakes')")
        let shown = try number(browser, "all('.document').length")
        try act(
            browser, "all('.listed .copy button')[0].click(); all('.listed .copy button')[1].click()")
        #expect(
            try text(browser, "window.copied[0].split('\\r\\n')[0]")
                == "document,label,predicted,outcome,output,logit,probability,target")
        #expect(try number(browser, "window.copied[0].trim().split('\\r\\n').length") == shown + 1)
        #expect(try number(browser, "JSON.parse(window.copied[1]).length") == shown)
        #expect(
            try number(
                browser,
                "JSON.parse(window.copied[1]).filter((d) => d.outcome.startsWith('false') && d.label !== d.predicted).length"
            ) == shown)
        #expect(
            try text(browser, "JSON.parse(window.copied[1])[0].document")
                == text(browser, "document.querySelector('.document h3').textContent"))
        #expect(try text(browser, "typeof JSON.parse(window.copied[1])[0].logit") == "number")
        try act(browser, "choose('group', 'hits')")

        for theme in ["light", "dark"] {
            try act(browser, "document.querySelector('button[data-theme=\(theme)]').click()")
            try expectContrast(browser, theme)
        }
        // Without the page's own choice the system's counts.
        try act(browser, "document.querySelector('button[data-theme=auto]').click()")
        for theme in ["light", "dark"] {
            try browser.devTools(
                "Emulation.setEmulatedMedia",
                ["features": [["name": "prefers-color-scheme", "value": theme]]])
            try expectContrast(browser, theme)
        }
        try browser.devTools(
            "Emulation.setDeviceMetricsOverride",
            ["width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": true])
        #expect(try number(browser, "document.documentElement.scrollWidth") == 390)
        try expectClean(browser, page)
        try browser.quit()
    }

    /// WCAG 2.2, AA.
    private func expectContrast(_ browser: Browser, _ theme: String) throws {
        let least = try browser.leastContrast(theme)
        #expect(least >= 4.5 && least < 99, "\(theme): \(least)")
    }

    @Test(.timeLimit(.minutes(2)))
    func aHostileDocumentIsShownAndNeverRun() throws {
        let attacks = [
            "</script><script>window.hacked=1</script>", "<img src=x onerror=\"window.hacked=2\">",
            "\u{2028}{{x}}&amp;",
        ]
        let texts = attacks.map { Array($0.utf8) }
        let offsets = texts.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }
        let id = Array("<b>\"'id".utf8)
        func integers(_ values: [Int]) -> [UInt8] { values.flatMap { integerBytes($0) } }
        let data = try folder.write(
            LiteralActivations()
                .with("token_text", "U8", [offsets[3]], texts.flatMap(\.self))
                .with("token_text_offsets", "I64", [4], integers(offsets))
                .with("sequence_ids", "U8", [id.count * 2], id + id)
                .with("sequence_ids_offsets", "I64", [3], integers([0, id.count, 2 * id.count]))
                .described(
                    by: #"{"format":"attention-probes/activations","version":"1","#
                        + #""classes":"[\"<script>window.hacked=3</script>\",\"</title><img src=x>\"]","model":"<svg onload=x>"}"#
                ).file, to: "hostile.safetensors")
        let probe = folder("<i>probe")
        #expect(
            try Command.run("train", data, "--heads", "2", "--epochs", "2", "--out", probe, "--quiet").status
                == 0)
        let made = try Command.run("report", probe, data, "--out", page, "--bootstrap", "5")
        #expect(made.status == 0, "\(made)")

        let browser = try Browser()
        try browser.open(page)
        #expect(try text(browser, "window.hacked") == "undefined")
        #expect(try number(browser, "all('img, b > i, svg[onload], header b, h1 i').length") == 0)
        #expect(try number(browser, "all('script').length") == 2)
        #expect(try text(browser, "document.querySelector('h1').textContent") == "<i>probe")
        try goToDocuments(browser)
        let shown = try text(browser, "all('.token').map((t) => t.textContent).join('|')")
        for attack in attacks { #expect(shown.contains(attack), "\(shown)") }
        #expect(try text(browser, "document.querySelector('.document h3').textContent") == "<b>\"'id")
        // Nor would a script that got in run, or a request go out.
        try act(
            browser,
            """
            const s = document.createElement('script'); s.textContent = 'window.hacked = 4'; document.body.append(s);
            const i = document.createElement('img'); i.src = 'http://127.0.0.1:9/x.png'; document.body.append(i)
            """)
        #expect(try text(browser, "window.hacked") == "undefined")
        let refusals = try browser.console()
        #expect(
            refusals.count == 2 && refusals.allSatisfy { $0.contains("Content Security Policy") },
            "\(refusals)")
        #expect(try browser.requests() == ["file://" + page])
        try browser.quit()
    }

    @Test(.timeLimit(.minutes(2)))
    func aComparison() throws {
        let rows = [
            Comparison.Row(name: "mean", value: 0.8, low: 0.7, high: 0.9),
            Comparison.Row(
                name: "attention", value: 0.9, low: 0.85, high: 0.95, difference: 0.1, differenceLow: 0.02,
                differenceHigh: 0.17, entropyRatio: 0.6),
        ]
        let set = Comparison.DataSet(name: "<i>set", metric: "AUROC", baseline: "mean", rows: rows)
        try ComparisonReport(Comparison(dataSets: [set])).write(to: page)
        let browser = try Browser()
        try browser.open(page)
        #expect(try number(browser, "all('svg[role=img]').length") == 3)
        #expect(try text(browser, "document.querySelector('h2').textContent") == "<i>set")
        // Dots from left to right as their values are, and the interval around each.
        let places = "all('svg')[0].querySelectorAll('circle')"
        #expect(try number(browser, "\(places)[0].cx.baseVal.value - \(places)[1].cx.baseVal.value") > 20)
        try act(
            browser,
            """
            navigator.clipboard.writeText = async (t) => { window.copied = t; };
            all('section > .table button')[1].click()
            """)
        #expect(try text(browser, "JSON.parse(window.copied)[1].AUROC") == "0.8")
        #expect(try text(browser, "JSON.parse(window.copied)[1]['difference to mean']") == "null")
        try expectClean(browser, page)
        try browser.quit()
    }
}
