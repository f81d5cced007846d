// Names and counts inside the sentences of a page.

extension String {
    /// Text of data that turns the direction of nothing around it: between a first-strong isolate and its
    /// end (UAX #9), without marks of its own that could end that. ASCII turns nothing and stays as it is.
    var isolated: String {
        if allSatisfy(\.isASCII) { return self }
        let marks: [ClosedRange<UInt32>] = [0x202A...0x202E, 0x2066...0x2069]
        let scalars = unicodeScalars.filter { scalar in !marks.contains { $0.contains(scalar.value) } }
        return "\u{2068}" + String(String.UnicodeScalarView(scalars)) + "\u{2069}"
    }
}

extension Int {
    /// "10 000": digits in threes, a narrow space between.
    var grouped: String {
        let digits = Array(String(magnitude))
        let parts = stride(from: digits.count, to: 0, by: -3).map {
            String(digits[Swift.max(0, $0 - 3)..<$0])
        }
        return (self < 0 ? "-" : "") + parts.reversed().joined(separator: "\u{202F}")
    }

    /// "1 token", "10 000 tokens".
    func grouped(_ noun: String) -> String { "\(grouped) \(noun)\(self == 1 ? "" : "s")" }
}
