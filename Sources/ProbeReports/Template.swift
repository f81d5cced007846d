// Pages are made from templates in the language of Mustache (https://mustache.github.io/mustache.5.html): as much of it as
// they use, with one difference. A name that no value has is an error, where Mustache leaves an empty place.

/// A text with places for values.
///
///     {{name}}              a text or whole number, escaped for HTML; nothing for nil
///     {{{name}}}            the same as it is
///     {{#name}}…{{/name}}   for each element of an array; once for true and other values; not for false and nil
///     {{^name}}…{{/name}}   where there is nothing of {{#name}}: for an empty array, false and nil
///     {{.}}                 the innermost value itself
///     {{>name}}             another template
///
/// A name is that of a stored property of the innermost value, or else of the values around it, from inside out. The tag
/// of a section that has a line for itself takes that line with it.
struct Template {
    private indirect enum Part {
        case text(Substring)
        case value(String, isEscaped: Bool)
        case section(String, isInverted: Bool, [Part])
        case template(String)
    }

    private let name: String
    private let parts: [Part]

    /// Reads a template.
    ///
    /// - Parameter name: what errors call it.
    /// - Throws: `TemplateError` for tags and sections without an end.
    init(_ name: String, _ text: String) throws(TemplateError) {
        self.name = name
        var rest = text[...]
        var isLineBlank = true
        var outer: [(tag: String, name: String, parts: [Part])] = []
        var parts: [Part] = []
        while let start = rest.firstRange(of: "{{") {
            var before = rest[..<start.lowerBound]
            let isRaw = rest[start.upperBound...].first == "{"
            rest = rest[start.upperBound...]
            let close = isRaw ? "}}}" : "}}"
            guard let end = rest.firstRange(of: close) else {
                throw TemplateError(name, "expected \(close), found the end")
            }
            let tag = rest[..<end.lowerBound]
            rest = rest[end.upperBound...]
            let kind = tag.first.flatMap { "{#^/>".contains($0) ? $0 : nil }
            let own = String(tag.dropFirst(kind == nil ? 0 : 1).trimmingBlanks)
            guard !own.isEmpty else {
                throw TemplateError(name, "expected a name between {{ and }}, found none")
            }

            let line = before.lastIndex(where: \.isNewline).map { before[before.index(after: $0)...] }
            isLineBlank = (line != nil || isLineBlank) && (line ?? before).allSatisfy(\.isBlank)
            let behind = rest.drop(while: \.isBlank)
            if let kind, "#^/".contains(kind), isLineBlank, behind.first?.isNewline ?? true {
                before = before[..<(line ?? before).startIndex]
                rest = behind.dropFirst()
            } else {
                isLineBlank = false
            }
            parts.append(.text(before))

            switch kind {
            case "#", "^":
                outer.append((String(tag), own, parts))
                parts = []
            case "/":
                guard let section = outer.popLast() else {
                    throw TemplateError(
                        name, "expected {{/\(own)}} only after {{#\(own)}} or {{^\(own)}}")
                }
                guard section.name == own else {
                    throw TemplateError(name, "expected {{/\(section.name)}}, found {{/\(own)}}")
                }
                parts =
                    section.parts + [.section(own, isInverted: section.tag.first == "^", parts)]
            case ">": parts.append(.template(own))
            default: parts.append(.value(own, isEscaped: kind == nil))
            }
        }
        if let section = outer.last {
            throw TemplateError(name, "expected {{/\(section.name)}}, found the end")
        }
        self.parts = parts + [.text(rest)]
    }

    /// The text with values in its places.
    ///
    /// - Parameters:
    ///   - content: the outermost value.
    ///   - partials: templates that this one may name.
    /// - Throws: `TemplateError` for names that no value and no template has, and for values that are no text.
    func render(_ content: Any, partials: [String: Template] = [:]) throws(TemplateError) -> String {
        var text = ""
        try write(parts, [content], partials, to: &text)
        return text
    }

    private func write(
        _ parts: [Part], _ values: [Any], _ partials: [String: Template], to text: inout String
    ) throws(TemplateError) {
        for part in parts {
            switch part {
            case .text(let own): text += own
            case .value(let name, let isEscaped):
                switch try value(name, values) {
                case nil: break
                case let own as String: text += isEscaped ? own.escaped : own
                case let own as Int: text += String(own)
                case .some(let other):
                    throw TemplateError(
                        self.name,
                        "expected a text or a whole number called \(name), found \(type(of: other))")
                }
            case .section(let name, let isInverted, let inner):
                let elements = Self.elements(try value(name, values))
                if isInverted, elements.isEmpty { try write(inner, values, partials, to: &text) }
                if isInverted { continue }
                for element in elements { try write(inner, values + [element], partials, to: &text) }
            case .template(let name):
                guard let other = partials[name] else {
                    throw TemplateError(self.name, "expected a template called \(name), found none")
                }
                try other.write(other.parts, values, partials, to: &text)
            }
        }
    }

    private static func elements(_ value: Any?) -> [Any] {
        switch value {
        case nil: []
        case let flag as Bool: flag ? [flag] : []
        case let array as [Any]: array
        case .some(let value): [value]
        }
    }

    private func value(_ name: String, _ values: [Any]) throws(TemplateError) -> Any? {
        if name == "." { return values.last }
        // A text has no properties, and its characters need no look.
        for value in values.reversed() where !(value is String) {
            for property in Mirror(reflecting: value).children where property.label == name {
                let mirror = Mirror(reflecting: property.value)
                return mirror.displayStyle == .optional ? mirror.children.first?.value : property.value
            }
        }
        let types = values.reversed().map { "\(type(of: $0))" }.joined(separator: ", ")
        throw TemplateError(self.name, "expected a value called \(name), found none in \(types)")
    }
}

/// What is wrong with a template, or with the values for it.
struct TemplateError: Error, CustomStringConvertible {
    let description: String

    init(_ template: String, _ fault: String) { description = "template \(template): \(fault)" }
}

extension String {
    /// Text that stands for itself between tags and in quoted attributes of HTML.
    fileprivate var escaped: String {
        // Bytes, not characters: a quote with an accent on it is another character, and still a quote for a browser.
        guard utf8.contains(where: { $0.entity != nil }) else { return self }
        let bytes = utf8.flatMap { byte in byte.entity.map { Array($0.utf8) } ?? [byte] }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension UInt8 {
    fileprivate var entity: String? {
        switch self {
        case UInt8(ascii: "&"): "&amp;"
        case UInt8(ascii: "<"): "&lt;"
        case UInt8(ascii: ">"): "&gt;"
        case UInt8(ascii: "\""): "&quot;"
        case UInt8(ascii: "'"): "&#39;"
        default: nil
        }
    }
}

extension Character {
    fileprivate var isBlank: Bool { self == " " || self == "\t" }
}

extension Substring {
    fileprivate var trimmingBlanks: Substring {
        let rest = drop(while: \.isBlank)
        return rest[..<(rest.lastIndex { !$0.isBlank }.map(rest.index(after:)) ?? rest.startIndex)]
    }
}
