import Foundation

/// A number with four decimals.
func decimal(_ value: Double) -> String { String(format: "%.4f", value) }

extension String {
    /// The string, right-aligned in a field.
    func padded(to width: Int, with pad: Character = " ") -> String {
        String(repeating: pad, count: max(0, width - count)) + self
    }

    /// The string, left-aligned in a field.
    func filled(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }

    /// The string without control characters, which data may hold and a terminal would obey.
    var printable: String {
        String(unicodeScalars.map { $0.properties.generalCategory == .control ? "\u{FFFD}" : Character($0) })
    }
}
