import Storage
import Testing

@Suite("Names of files that are no UTF-8")
struct PathBytesTests {
    @Test(
        arguments: [
            ("plain", []), ("caf", [0xE9]), ("", [0xFF, 0xFE]), ("a/", [0xC3]), ("b", [0xE2, 0x82]),
            ("", [0xF0, 0x9F, 0x98]), ("", [0xED, 0xA0, 0x80]), ("c", [0xC0, 0x80]), ("d", [0xF5, 0x80]),
            // Characters of the area that stands for bytes, as a name may have them: at its ends and beside them.
            ("", [0xF4, 0x8F, 0x9E, 0x80]), ("", [0xF4, 0x8F, 0x9F, 0xBF]), ("", [0xF4, 0x8F, 0x9D, 0xBF]),
            ("", [0xF4, 0x8F, 0xA0, 0x80]), ("e", [0xF4]), ("", [0xF4, 0x8F]),
        ] as [(String, [UInt8])])
    func everyNameIsOneText(start: String, bytes: [UInt8]) {
        for end in ["", "z", "é", "😀", "\u{10FFFD}"] {
            let name = Array(start.utf8) + bytes + Array(end.utf8)
            let text = String(pathBytes: name)
            #expect(text.pathBytes == name)
            #expect(text.hasPrefix(start) && text.hasSuffix(end))
            #expect(String(pathBytes: text.pathBytes) == text)
        }
    }

    // Two names are never one text.
    @Test func differentNamesAreDifferentTexts() {
        let names: [[UInt8]] = [
            [0x80], [0xFF], [0xC2, 0x80], [0xF4, 0x8F, 0x9E, 0x80], [0x80, 0x80], [0xEF, 0xBF, 0xBD],
        ]
        #expect(Set(names.map { String(pathBytes: $0) }).count == names.count)
        #expect(String(pathBytes: [0x80]).unicodeScalars.map(\.value) == [0x10F780])
    }

    @Test func bytesAreShown() {
        let name = String(pathBytes: Array("caf".utf8) + [0xE9, 0x0A] + Array("é\u{10FFFD}".utf8))
        #expect(name.showingPathBytes() == "caf\\xE9\né\u{10FFFD}")
        #expect(name.showingPathBytes("%") == "caf%E9\né\u{10FFFD}")
        #expect("plain é".showingPathBytes() == "plain é")
    }
}
