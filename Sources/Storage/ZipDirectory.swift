/// Where the members of a zip archive are in its file, for those that are stored as they are and can be read in place.
///
/// The archive's own table at the end of the file is what counts: it says of each member its name, size and local
/// header, behind which the bytes follow. Numbers that do not fit into 32 bits stand in a second table (zip64).
/// Checksums are not compared: that would take reading all bytes.
package struct ZipDirectory: Sendable {
    /// One member.
    package struct Member: Sendable {
        /// Its name in the archive.
        package let name: String
        /// Bytes unpacked, as the archive states.
        package let size: Int
        /// Whether its bytes are in the file as they are, neither packed nor encrypted.
        package let isStored: Bool
        fileprivate let header: Int
    }

    /// Why an archive cannot be read: a sentence's second half, as "a table of contents that ends early".
    package struct Fault: Error {
        /// What was found.
        package let found: String

        package init(found: String) { self.found = found }
    }

    private let file: ByteSource
    // Members lie before it.
    private let end: Int
    /// The members, in the order of the table.
    package let members: [Member]

    private static let endSize = 22
    private static let longestComment = 65535
    private static let entrySize = 46
    private static let headerSize = 30

    /// Reads the table of contents. O(its bytes).
    ///
    /// - Throws: `Fault`.
    package init(_ file: ByteSource) throws(Fault) {
        self.file = file
        let table = try Self.table(file)
        end = table.lowerBound
        let bytes = file.bytes(table)
        var members: [Member] = []
        var place = 0
        while place + Self.entrySize <= bytes.count, bytes.number(place, 4) == 0x0201_4B50 {
            let nameEnd = place + Self.entrySize + bytes.number(place + 28, 2)
            let extraEnd = nameEnd + bytes.number(place + 30, 2)
            let next = extraEnd + bytes.number(place + 32, 2)
            guard next <= bytes.count else { break }
            let wide = Self.wideNumbers(
                bytes[nameEnd..<extraEnd],
                [(place + 24, 4), (place + 20, 4), (place + 42, 4)].map { bytes.number($0, $1) })
            guard let wide, let size = Int(exactly: wide[0]), let header = Int(exactly: wide[2]) else {
                throw Fault(found: "a member whose size or place is not to be found")
            }
            let isPlain = bytes.number(place + 8, 2) & 1 == 0 && bytes.number(place + 10, 2) == 0
            members.append(
                Member(
                    name: String(decoding: bytes[(place + Self.entrySize)..<nameEnd], as: UTF8.self),
                    size: size, isStored: isPlain && wide[0] == wide[1], header: header))
            place = next
        }
        guard place == bytes.count else { throw Fault(found: "a table of contents that ends early") }
        self.members = members
    }

    /// Where the bytes of a stored member are in the file.
    ///
    /// - Throws: `Fault` where they lie outside, or the member has no header.
    package func bytes(of member: Member) throws(Fault) -> Range<Int> {
        let (first, isFar) = member.header.addingReportingOverflow(Self.headerSize)
        guard !isFar, member.header >= 0, first <= end else {
            throw Fault(found: "\(member.name) outside the file")
        }
        let header = file.bytes(member.header..<first)
        guard header.number(0, 4) == 0x0403_4B50 else {
            throw Fault(found: "\(member.name) without a header of its own")
        }
        let start = first + header.number(26, 2) + header.number(28, 2)
        guard start <= end, member.size <= end - start else {
            throw Fault(found: "\(member.name) of \(member.size) bytes, which ends behind the last")
        }
        return start..<start + member.size
    }

    // Where the table is: what stands at the end of the file says so.
    private static func table(_ file: ByteSource) throws(Fault) -> Range<Int> {
        let none = Fault(found: "no table of contents at its end: the file is cut short")
        let first = max(0, file.count - endSize - longestComment)
        let tail = file.bytes(first..<file.count)
        var place = tail.count - endSize
        while place >= 0, tail.number(place, 4) != 0x0605_4B50 { place -= 1 }
        guard place >= 0 else { throw none }
        var (size, start) = (UInt64(tail.number(place + 12, 4)), UInt64(tail.number(place + 16, 4)))
        if size == 0xFFFF_FFFF || start == 0xFFFF_FFFF {
            // The end of the wide table, which a locator before this one says the place of.
            guard place >= 20, tail.number(place - 20, 4) == 0x0706_4B50,
                let wide = Int(exactly: tail.wideNumber(place - 12)), wide >= 0, wide <= file.count - 56
            else { throw none }
            let record = file.bytes(wide..<wide + 56)
            guard record.number(0, 4) == 0x0606_4B50 else { throw none }
            (size, start) = (record.wideNumber(40), record.wideNumber(48))
        }
        let (end, isFar) = start.addingReportingOverflow(size)
        guard !isFar, end <= UInt64(first + place) else { throw none }
        return Int(start)..<Int(end)
    }

    // Size, packed size and place of the header of a member: those that are all ones follow as 8 bytes each in an
    // extra field. Nil where they do not.
    private static func wideNumbers(_ extra: ArraySlice<UInt8>, _ narrow: [Int]) -> [UInt64]? {
        guard narrow.contains(0xFFFF_FFFF) else { return narrow.map { UInt64($0) } }
        let bytes = Array(extra)
        var place = 0
        while place + 4 <= bytes.count {
            let end = place + 4 + bytes.number(place + 2, 2)
            guard end <= bytes.count else { return nil }
            guard bytes.number(place, 2) == 1 else {
                place = end
                continue
            }
            var next = place + 4
            var numbers: [UInt64] = []
            for number in narrow {
                guard number == 0xFFFF_FFFF else {
                    numbers.append(UInt64(number))
                    continue
                }
                guard next + 8 <= end else { return nil }
                numbers.append(bytes.wideNumber(next))
                next += 8
            }
            return numbers
        }
        return nil
    }
}

extension [UInt8] {
    // A little-endian number of at most 4 bytes.
    fileprivate func number(_ start: Int, _ count: Int) -> Int {
        (0..<count).reduce(0) { $0 | Int(self[start + $1]) << (8 * $1) }
    }

    fileprivate func wideNumber(_ start: Int) -> UInt64 {
        UInt64(number(start, 4)) | UInt64(number(start + 4, 4)) << 32
    }
}
