// One label of a table (`LabelTable.swift`), before it is known what all of them are.
private import Foundation

/// One label as it stands in a table; numbers are texts too.
enum LabelValue: Sendable, Equatable {
    case text(String)
    /// Of several labels; also of none.
    case names([String])
    /// At least two.
    case numbers([Double])
    /// Something that is no label, in a column that nobody reads.
    case other

    /// A value of JSON; nil for null. A number keeps its point, true is 1, and a list of one number is that number.
    init?(_ value: Any) {
        switch value {
        case is NSNull: return nil
        case let text as String: self = .text(text)
        case let number as NSNumber: self = .text("\(number)")
        case let numbers as [NSNumber] where numbers.count == 1: self = .text("\(numbers[0])")
        case let numbers as [NSNumber] where numbers.count > 1: self = .numbers(numbers.map(\.doubleValue))
        case let names as [String]: self = .names(names)
        default: self = .other
        }
    }

    /// What stands in a line where it is no JSON: a part of it around the place that an error names.
    static func excerpt(of line: Substring, _ error: any Error) -> String {
        let reason = (error as NSError).userInfo[NSDebugDescriptionErrorKey] as? String ?? ""
        let place = Int(reason.split(separator: " ").last?.filter(\.isNumber) ?? "").map {
            min($0, line.utf8.count)
        }
        guard let place, place > 40 else { return String(line.prefix(60)) }
        let bytes = Array(line.utf8)
        return "… " + String(decoding: bytes[(place - 30)..<min(place + 30, bytes.count)], as: UTF8.self)
    }

    var text: String? { if case .text(let text) = self { text } else { nil } }
    var names: [String]? { if case .names(let names) = self { names } else { nil } }
    var numbers: [Double]? { if case .numbers(let numbers) = self { numbers } else { nil } }

    private static let missing: Set = [
        "", "NA", "N/A", "n/a", "#N/A", "<NA>", "None", "NULL", "null", "NaN", "nan",
    ]

    /// How a missing label is written, if that is what it is and no class has this name; else nil.
    func missing(besides classes: [String]?) -> String? {
        guard let text, Self.missing.contains(text), classes?.contains(text) != true else { return nil }
        return text
    }
}

extension String {
    /// The number that a text says in decimal digits; infinite where F32 cannot hold it. Hexadecimal is none.
    var plainNumber: Float? {
        let isInfinity = ["inf", "infinity"].contains(drop { "+-".contains($0) }.lowercased())
        guard isInfinity || utf8.allSatisfy({ Self.numberBytes.contains($0) }) else { return nil }
        return Float(self)
    }

    private static let numberBytes = Set("0123456789+-.eE".utf8)
}
