// How many columns of a terminal text takes, after Unicode's East Asian Width (UAX #11): two for wide
// and full-width characters, none for marks that stand on the character before.

extension Unicode.Scalar {
    /// Columns: 0, 1 or 2.
    var displayWidth: Int {
        switch properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format, .control: return 0
        default: break
        }
        // Vowels and finals of Hangul join the consonant before.
        if (0x1160...0x11FF).contains(value) { return 0 }
        let isWide = properties.isEmojiPresentation || Self.wide.contains { $0.contains(value) }
        return isWide ? 2 : 1
    }

    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xA960...0xA97C, 0xAC00...0xD7A3, 0xF900...0xFAFF,
        0xFE10...0xFE19, 0xFE30...0xFE6F, 0xFF01...0xFF60, 0xFFE0...0xFFE6, 0x16FE0...0x18DFF,
        0x1AFF0...0x1B2FF, 0x1F200...0x1F265, 0x20000...0x3FFFD,
    ]
}

extension Unicode.Scalar {
    fileprivate var isSpace: Bool { self == "\t" || properties.generalCategory == .spaceSeparator }
}

extension Character {
    var displayWidth: Int { unicodeScalars.reduce(0) { $0 + $1.displayWidth } }
}

extension String {
    /// Columns of a terminal.
    var displayWidth: Int { reduce(0) { $0 + $1.displayWidth } }

    /// The string, right-aligned in a field.
    func padded(to width: Int, with pad: Character = " ") -> String {
        String(repeating: pad, count: max(0, width - displayWidth)) + self
    }

    /// The string, left-aligned in a field.
    func filled(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - displayWidth))
    }

    /// The string, or as much of it as a width holds and an ellipsis.
    func shortened(to width: Int) -> String {
        guard displayWidth > width else { return self }
        var room = width - 1
        return String(
            prefix { character in
                room -= character.displayWidth
                return room >= 0
            }) + "…"
    }

    /// Lines of at most a width, broken at spaces; a word that is longer has a line of its own and ends in an ellipsis.
    func wrapped(to width: Int) -> [String] {
        guard displayWidth > width else { return [self] }
        var lines = [""]
        for word in split(separator: " ").map({ $0.description.shortened(to: width) }) {
            let last = lines[lines.count - 1]
            if last.isEmpty {
                lines[lines.count - 1] = word
            } else if last.displayWidth + 1 + word.displayWidth <= width {
                lines[lines.count - 1] += " " + word
            } else {
                lines.append(word)
            }
        }
        return lines
    }

    /// The string after the start of a line 80 wide, what that cannot hold in lines below, under its own start.
    func hanging(after start: String) -> [String] {
        let indent = start.displayWidth
        return wrapped(to: 80 - indent).enumerated().map { line, words in
            (line == 0 ? start : String(repeating: " ", count: indent)) + words
        }
    }

    /// The string, or its start and its end with an ellipsis between them.
    private func shortenedInTheMiddle(to width: Int) -> String {
        guard displayWidth > width else { return self }
        let end = String(String(reversed()).shortened(to: width / 2).reversed()).dropFirst()
        return shortened(to: width - end.description.displayWidth) + end
    }

    /// The strings, each as much of it as a width holds: of its start, or where two would then be alike, of its start and
    /// its end.
    static func shortened(_ names: [String], to width: Int) -> [String] {
        let cut = names.map { $0.shortened(to: width) }
        return Set(cut).count == Set(names).count ? cut : names.map { $0.shortenedInTheMiddle(to: width) }
    }

    /// The string without spaces and tabs at its ends.
    var trimmed: String {
        let scalars = unicodeScalars.drop(while: \.isSpace)
        return String(String.UnicodeScalarView(scalars.reversed().drop(while: \.isSpace).reversed()))
    }

    /// The string without characters that a terminal would obey or hide: controls, marks that turn the
    /// direction of text, and separators of lines.
    var printable: String {
        String(
            unicodeScalars.map { scalar in
                switch scalar.properties.generalCategory {
                case .control, .format, .lineSeparator, .paragraphSeparator: "\u{FFFD}"
                default: Character(scalar)
                }
            })
    }
}
