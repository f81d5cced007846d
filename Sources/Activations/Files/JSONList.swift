private import FoundationEssentials
private import Synchronization

/// A JSON list of strings, as metadata hold class names.
package enum JSONList {
    package static func encode(_ strings: [String]) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        // Strings can always be encoded.
        return try! String(decoding: encoder.encode(strings), as: UTF8.self)
    }

    // Thousands of files mostly have the same list.
    private static let last = Mutex<(text: String, list: [String])>(("[]", []))

    package static func decode(_ text: String) -> [String]? {
        let known = last.withLock { $0.text == text ? $0.list : nil }
        guard known == nil else { return known }
        let list = try? JSONDecoder().decode([String].self, from: Data(text.utf8))
        if let list { last.withLock { $0 = (text, list) } }
        return list
    }
}
