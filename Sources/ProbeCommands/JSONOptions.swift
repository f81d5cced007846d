// Options of a caller that is no command line: a JSON object with the names and values that options have there, which
// are parsed as if they had been typed, so that what is allowed, what is usual and what is said are the same.
package import ArgumentParser
import FoundationEssentials
import Synchronization

/// Why options as JSON are refused, in one sentence.
package struct OptionError: Error, CustomStringConvertible {
    package let description: String
}

/// The options of a piece of work with those of everything that computes.
package struct CallOptions<Options: ParsableArguments & Sendable>: ParsableArguments, Sendable {
    @OptionGroup package var options: Options
    @OptionGroup package var running: RunOptions

    package init() {}

    /// Parses options.
    ///
    /// - Parameters:
    ///   - json: an object of names and values: a string, a number, true for a flag, or a list of values; null and
    ///     false are as if the name were not there. Empty for none.
    ///   - words: further arguments, as on the command line.
    ///   - refused: names that have no meaning for this caller.
    /// - Throws: `OptionError`.
    package static func parse(
        json: String, adding words: [String] = [], refusing refused: Set<String> = []
    ) throws(OptionError) -> Self {
        let arguments = try arguments(json, refusing: refused) + words
        let call = ParsedOptions.Call(type: ObjectIdentifier(Self.self), arguments: arguments)
        if let parsed = ParsedOptions.find(call) as? Self { return parsed }
        do {
            let options = try parse(arguments)
            ParsedOptions.keep(options, for: call)
            return options
        } catch {
            throw OptionError(description: message(for: error))
        }
    }

    private static func arguments(
        _ json: String, refusing refused: Set<String>
    ) throws(OptionError) -> [String] {
        guard !json.isEmpty else { return [] }
        let values: [String: OptionValue]
        do {
            values = try JSONDecoder().decode([String: OptionValue].self, from: Data(json.utf8))
        } catch {
            throw OptionError(
                description:
                    "the options: expected a JSON object of names and values, found \(json.prefix(80))")
        }
        var arguments: [String] = []
        for (name, value) in values.sorted(by: { $0.key < $1.key }) {
            let isName = name.count > 1 && name.allSatisfy { $0.isLowercase || $0.isNumber || $0 == "-" }
            guard isName, name.first != "-", !refused.contains(name), !Self.ofPrograms.contains(name) else {
                throw OptionError(description: "Unknown option '--\(name)'")
            }
            arguments += value.arguments(name)
        }
        return arguments
    }

    // What the parser itself answers, and a caller cannot ask.
    private static var ofPrograms: Set<String> {
        ["help", "help-hidden", "version", "generate-completion-script", "experimental-dump-help"]
    }
}

// Options of earlier calls. The parser finds out by reflection what a type declares, at every parse, and that takes
// longer than many a small probe's training.
private enum ParsedOptions {
    struct Call: Hashable {
        let type: ObjectIdentifier
        let arguments: [String]
    }

    private static let most = 64
    private static let kept = Mutex<[Call: any Sendable]>([:])

    static func find(_ call: Call) -> (any Sendable)? { kept.withLock { $0[call] } }

    static func keep(_ options: any Sendable, for call: Call) {
        kept.withLock {
            if $0.count == most { $0 = [:] }
            $0[call] = options
        }
    }
}

// The value of an option.
private enum OptionValue: Decodable {
    case none, flag
    case words([String])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .none
        } else if let isSet = try? container.decode(Bool.self) {
            self = isSet ? .flag : .none
        } else if let list = try? container.decode([OptionWord].self) {
            self = .words([list.map(\.text).joined(separator: ",")])
        } else {
            self = .words([try container.decode(OptionWord.self).text])
        }
    }

    func arguments(_ name: String) -> [String] {
        switch self {
        case .none: []
        case .flag: ["--\(name)"]
        case .words(let words): words.map { "--\(name)=\($0)" }
        }
    }
}

private struct OptionWord: Decodable {
    let text: String

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let text = try? container.decode(String.self) {
            self.text = text
        } else if let number = try? container.decode(Int.self) {
            text = String(number)
        } else {
            text = String(try container.decode(Double.self))
        }
    }
}
