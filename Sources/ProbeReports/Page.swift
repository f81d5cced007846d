// A report page is one HTML file that loads nothing: style and script stand in it, and its
// Content-Security-Policy lets just these two run, by their SHA-256. The templates escape what they
// show; data for the script stand in a block of JSON without any "<", so that nothing in them can end it.
private import FoundationEssentials
private import Tensors
import Storage

/// A page in the making: what stands at its top, and its sections so far.
struct Page {
    /// SHA-256 of the style and of the script, in base64; a test compares them.
    static let styleHash = "sha256-QBsHdb3mNwffE5nxwI/pjklXsLEvsKn2M/OD5ILcN6I="
    static let scriptHash = "sha256-CoJtcCC3G5G5kQ2HZh+zukjGR9XyyBvB+IZVxJq0tD8="

    static var style: String { text(PackageResources.page_css) }
    static var script: String { text(PackageResources.page_js + PackageResources.documents_js) }

    /// A place in the page that its contents lead to.
    struct Link { let id, name: String }

    // With the names that `page.mustache` uses.
    private let title, kind, heading, subtitle, contents: String
    private let links: [Link]
    private let style = Self.style
    private let script = Self.script
    private let styleHash = Self.styleHash
    private let scriptHash = Self.scriptHash
    private var sections: [String] = []
    private var data: String?

    private let templates: [String: Template]

    /// A page without sections.
    ///
    /// - Parameters:
    ///   - title: what a browser calls it.
    ///   - kind: what kind of page it is.
    ///   - contents: what the links lead to, for people who cannot see that.
    init(
        _ title: String, kind: String, heading: String, subtitle: String, contents: String, _ links: [Link]
    ) throws {
        (self.title, self.kind, self.heading, self.subtitle) = (title, kind, heading, subtitle)
        (self.contents, self.links) = (contents, links)
        templates = try Self.templates()
    }

    /// Adds the sections that a template makes of values.
    mutating func append(_ template: String, _ content: Any) throws {
        sections.append(try templates[template]!.render(content, partials: templates))
    }

    /// Bytes of the sections, the style and the script: those of the page but for a thousand or two.
    var size: Int { (sections + [style, script]).reduce(0) { $0 + $1.utf8.count } }

    /// The page.
    ///
    /// - Parameter data: what the script reads, if anything.
    func html(data: (any Encodable)? = nil) throws -> String {
        var page = self
        page.data = try data.map { try Self.script(json: $0) }
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

    private static func templates() throws -> [String: Template] {
        let texts = [
            "page": PackageResources.page_mustache, "report": PackageResources.report_mustache,
            "documents": PackageResources.documents_mustache,
            "comparison": PackageResources.comparison_mustache,
            "plot": PackageResources.plot_mustache, "table": PackageResources.table_mustache,
        ]
        return try Dictionary(uniqueKeysWithValues: texts.map { ($0, try Template($0, text($1))) })
    }

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
