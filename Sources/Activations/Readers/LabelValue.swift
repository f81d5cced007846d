// One label of a table (`LabelTable.swift`), before it is known what all of them are.
import Storage

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
    init?(_ value: JSONValue) {
        switch value {
        case .null: return nil
        case .bool(let flag): self = .text(flag ? "1" : "0")
        case .number(let text), .string(let text): self = .text(text)
        case .object: self = .other
        case .array(let values):
            let numbers = values.compactMap { if case .number(let text) = $0 { text } else { nil } }
            let names = values.compactMap { if case .string(let text) = $0 { text } else { nil } }
            if names.count == values.count {
                self = .names(names)
            } else if numbers.count == values.count {
                self =
                    numbers.count == 1 ? .text(numbers[0]) : .numbers(numbers.map { Double($0) ?? .infinity })
            } else {
                self = .other
            }
        }
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
