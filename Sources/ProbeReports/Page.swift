// A report page is one HTML file that loads nothing: style and script stand in it, and its
// Content-Security-Policy lets just these two run, by their SHA-256. The templates escape what they
// show; data for the script stand in a block of JSON without any "<", so that nothing in them can end it.
private import FoundationEssentials
private import Tensors
import Storage

/// Turns values into a page.
enum Page {
    /// SHA-256 of the style and of the script, in base64; a test compares them.
    static let styleHash = "sha256-KYItrSLr65DcEmvGZkS/jafh0jL46PY3ZdNCy5DPbYk="
    static let scriptHash = "sha256-6yNRNPMFP7NYUdeeJONZ5oRYZNU9nQPfBcN9gTaAoXE="

    static var style: String { text(PackageResources.page_css) }
    static var script: String { text(PackageResources.page_js + PackageResources.documents_js) }

    /// The page around one of the templates.
    ///
    /// - Parameter data: what the script reads, if anything.
    static func html(_ title: String, template: String, _ content: Any, data: (any Encodable)?) throws
        -> String
    {
        let templates = try templates()
        let json = try data.map { try script(json: $0) }
        let page = Frame(
            title: title, styleHash: styleHash, scriptHash: scriptHash, style: style, script: script,
            body: try templates[template]!.render(content, partials: templates), data: json)
        return try templates["page"]!.render(page)
    }

    /// Writes a page, whole or not at all.
    ///
    /// - Throws: `SystemError`.
    static func write(_ html: String, to path: String) throws {
        let file = try OutputFile(path: path)
        try file.write(Array(html.utf8))
        try file.commit()
    }

    /// JSON that can stand inside a script element: "<" only as \u003c.
    static func script(json value: any Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let text = try String(decoding: encoder.encode(value), as: UTF8.self)
        return text.replacing("<", with: "\\u003c")
    }

    private struct Frame {
        let title, styleHash, scriptHash, style, script, body: String
        let data: String?
    }

    private static func templates() throws -> [String: Template] {
        let texts = [
            "page": PackageResources.page_mustache, "report": PackageResources.report_mustache,
            "comparison": PackageResources.comparison_mustache, "plot": PackageResources.plot_mustache,
            "table": PackageResources.table_mustache,
        ]
        return try Dictionary(uniqueKeysWithValues: texts.map { ($0, try Template($0, text($1))) })
    }

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
