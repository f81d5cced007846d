// Names of files are bytes, and texts here: UTF-8 as it is, and each byte that is no part of a character as one of a
// private area, U+10F780 for 0x80 to U+10F7FF for 0xFF. Each name is one text so, and each text one name: the bytes
// of a character of that area are taken for four such bytes.
internal import Glibc

extension String {
    private static let area: UInt32 = 0x10F700
    // The first byte of what the area's characters are in UTF-8, which hardly any name has.
    private static let lead: UInt8 = 0xF4

    /// The text that stands for the name of a file, or for a path. O(bytes).
    package init(pathBytes bytes: [UInt8]) {
        if !bytes.contains(Self.lead), let text = String(validating: bytes, as: UTF8.self) {
            self = text
            return
        }
        self = ""
        var place = 0
        while place < bytes.count {
            let character = (1...4).lazy.compactMap { length -> Unicode.Scalar? in
                guard place + length <= bytes.count else { return nil }
                let part = String(validating: bytes[place..<place + length], as: UTF8.self)
                return part?.unicodeScalars.first
            }.first
            if let character, character.pathByte == nil {
                unicodeScalars.append(character)
                place += UTF8.width(character)
            } else {
                unicodeScalars.append(Unicode.Scalar(Self.area + UInt32(bytes[place]))!)
                place += 1
            }
        }
    }

    /// The bytes of a name or a path. O(bytes).
    package var pathBytes: [UInt8] {
        guard utf8.contains(Self.lead) else { return Array(utf8) }
        return unicodeScalars.flatMap { scalar in scalar.pathByte.map { [$0] } ?? Array(String(scalar).utf8) }
    }

    /// The text with bytes that are no UTF-8 as people write them: "caf\xE9". O(bytes).
    ///
    /// - Parameter mark: what stands before the two digits.
    package func showingPathBytes(_ mark: String = "\\x") -> String {
        guard utf8.contains(Self.lead) else { return self }
        return unicodeScalars.reduce(into: "") { text, scalar in
            if let byte = scalar.pathByte {
                text += mark + String(byte, radix: 16, uppercase: true)
            } else {
                text.unicodeScalars.append(scalar)
            }
        }
    }

    /// The same so that no other name has this text: where a name has such bytes, or has what stands for one written out,
    /// each backslash of its own is doubled. O(bytes).
    package func showingPathBytesUniquely() -> String {
        let shown = showingPathBytes()
        let backslash = UInt8(ascii: "\\")
        guard shown.utf8.contains(backslash) else { return shown }
        let bytes = Array(shown.utf8)
        let isByte = bytes.indices.contains { start in
            bytes[start...].starts(with: [backslash, UInt8(ascii: "x")]) && start + 4 <= bytes.count
                && (0x80...0xFF).contains(
                    UInt8(String(decoding: bytes[start + 2..<start + 4], as: UTF8.self), radix: 16) ?? 0)
        }
        guard isByte else { return shown }
        let doubled = utf8.flatMap { $0 == backslash ? [$0, $0] : [$0] }
        return String(decoding: doubled, as: UTF8.self).showingPathBytes()
    }

    /// The text of a name that the system gives.
    init(pathFrom name: UnsafePointer<CChar>) {
        self = unsafe String(
            pathBytes: Array(UnsafeRawBufferPointer(start: name, count: strlen(name))))
    }

    /// Lends the bytes to a function of C.
    @safe func withPath<R>(_ body: (UnsafePointer<CChar>) -> R) -> R {
        guard utf8.contains(Self.lead) else { return unsafe withCString(body) }
        let bytes = pathBytes.map { CChar(truncatingIfNeeded: $0) } + [0]
        return unsafe bytes.withUnsafeBufferPointer { unsafe body($0.baseAddress!) }
    }
}

extension Unicode.Scalar {
    // The byte that a character of the area stands for; nil for others.
    fileprivate var pathByte: UInt8? {
        (0x10F780...0x10F7FF).contains(value) ? UInt8(truncatingIfNeeded: value) : nil
    }
}

/// The arguments that the process was started with, its name first: paths among them keep their bytes.
package func programArguments() -> [String] {
    (0..<Int(CommandLine.argc)).map { unsafe String(pathFrom: CommandLine.unsafeArgv[$0]!) }
}

/// A file that is open, and has a path that is UTF-8 as long as it is. For those who know no other paths.
package struct PlainPath: ~Copyable {
    private let descriptor: Descriptor

    /// - Throws: `SystemError` where it cannot be opened.
    package init(_ path: String) throws(SystemError) { descriptor = try Descriptor(path) }

    /// The path.
    package var path: String { "/proc/self/fd/\(descriptor.number)" }
}
