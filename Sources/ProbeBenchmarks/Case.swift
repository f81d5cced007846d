import Foundation

/// The timings of one piece of work, done in several ways in turn; the first is ours.
struct Case: Encodable {
    /// What kind of work: a section of the report.
    let section: String
    /// The shape: "D 768, H 8, O 1".
    let shape: String
    let tokens: Int
    /// What has to be read at least.
    let bytes: Double
    /// Multiplications and additions.
    let operations: Double
    /// The least time that bytes and operations take here; nil where they are not the limit.
    let roofline_seconds: Double?
    let ways: [Way]
    /// What else was found.
    var notes: [String] = []

    struct Way: Encodable {
        let name: String
        let timing: Timing
    }

    /// How many times as long another way took.
    func ratio(_ name: String) -> Double? {
        ways.first { $0.name == name }.map { $0.timing.median / ways[0].timing.median }
    }

    /// Of the first way, the least possible time over the median.
    var rooflineFraction: Double? { roofline_seconds.map { $0 / ways[0].timing.median } }

    var text: String {
        var lines = ["", "\(section): \(shape)" + (operations > 0 ? ", \(tokens) tokens" : "")]
        let width = ways.map(\.name.count).max() ?? 0
        for way in ways {
            let seconds = way.timing.median
            var figures = [String(format: "%8.1f ms ±%2.0f%%", seconds * 1e3, way.timing.spread)]
            // What meets its data many times has no rate.
            if operations > 0 {
                figures.append(String(format: "%6.2f Mtok/s", Double(tokens) / seconds * 1e-6))
                figures.append(String(format: "%5.1f GB/s", bytes / seconds * 1e-9))
            }
            if let roofline_seconds {
                figures.append(String(format: "%4.2f of roofline", roofline_seconds / seconds))
            }
            figures.append(String(format: "%6.2f×", seconds / ways[0].timing.median))
            lines.append(
                "  " + way.name.padding(toLength: width + 1, withPad: " ", startingAt: 0)
                    + figures.joined(separator: " "))
        }
        return (lines + notes.map { "  " + $0 }).joined(separator: "\n")
    }
}

/// Results that must be the same function: the largest difference over the largest value.
func check(_ found: [Float], _ expected: [Float], _ name: String, within limit: Float = 1e-3) throws {
    let largest = expected.reduce(1e-6) { max($0, abs($1)) }
    let difference = zip(found, expected).reduce(Float(0)) {
        $1.0.isFinite ? max($0, abs($1.0 - $1.1)) : .infinity
    }
    guard !found.isEmpty, difference / largest < limit else {
        throw WrongResult(name: name, difference: difference / largest)
    }
}

struct WrongResult: Error, CustomStringConvertible {
    let name: String
    let difference: Float
    var description: String { "\(name) differs by \(difference) of the largest: not the same function" }
}
