// A stream as bytes, for a session that goes on elsewhere. Numbers are little-endian, texts UTF-8:
//
//     16 bytes     "attnprobe-stream"
//     u64          the version, 1
//     u64          the probe's fingerprint: its kind, hyperparameters, sizes and parameters
//     u64, bytes   the length of the probe's title, and the title, for people
//     u64, u64     tokens so far, and those of them that the probe may look at
//     u64, f64…    how many numbers the state has, and these
//     u64          a hash of all bytes before
public import Activations
import Tensors

extension ProbeStream {
    private static let mark = Array("attnprobe-stream".utf8)
    private static let version: UInt64 = 1

    /// The stream as bytes that `init(bytes:probe:)` reads.
    public var bytes: [UInt8] {
        var bytes = Self.mark
        func add(_ number: UInt64) { bytes += (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } }
        let title = Array(title.utf8)
        add(Self.version)
        add(fingerprint)
        add(UInt64(title.count))
        bytes += title
        add(UInt64(count))
        add(UInt64(seen))
        add(UInt64(state.count))
        for number in state { add(number.bitPattern) }
        var hash = DataHash()
        hash.add(bytes.span)
        add(hash.value)
        return bytes
    }

    /// Reads a stream of a probe.
    ///
    /// - Parameter name: what errors call it.
    /// - Throws: `DataError` where the bytes are not whole, or the stream is another probe's.
    public init(bytes: [UInt8], probe: Probe, name: String = "the stream") throws(DataError) {
        self = try ProbeStream(probe)
        var hash = DataHash()
        var reader = ByteReader(bytes: bytes, name: name)
        guard bytes.starts(with: Self.mark) else {
            throw DataError(
                .header, name, expected: "a stream, which starts with \"attnprobe-stream\"",
                found: bytes.isEmpty ? "no bytes" : "other bytes")
        }
        reader.place = Self.mark.count
        let version = try reader.number("version")
        guard version == Self.version else {
            throw DataError(.metadata, name, "version", expected: "\(Self.version)", found: "\(version)")
        }
        let found = try reader.number("fingerprint")
        let title = String(decoding: try reader.part(reader.count("title"), "title"), as: UTF8.self)
        guard found == fingerprint else {
            throw DataError(
                .mismatch, name, "fingerprint", expected: "a stream of \(self.title)",
                found: "one of \(title)")
        }
        (count, seen) = (try reader.count("count"), try reader.count("seen"))
        let numbers = try reader.count("state")
        guard numbers == state.count, seen <= count else {
            throw DataError(
                .mismatch, name, "state", expected: "\(state.count) numbers of at most \(count) tokens",
                found: "\(numbers) of \(seen)")
        }
        for i in state.indices { state[i] = Double(bitPattern: try reader.number("state")) }
        hash.add(bytes.span.extracting(first: reader.place))
        guard try reader.number("hash") == hash.value, reader.place == bytes.count else {
            throw DataError(
                .header, name, "hash", expected: "the bytes as they were written", found: "others")
        }
    }

    /// What the probe is, for people and errors.
    var title: String {
        "the probe \(String(fingerprint, radix: 16)) (\(probe.configuration), width \(pass.width))"
    }

    /// A hash of what decides a probe's logits.
    var fingerprint: UInt64 {
        var hash = DataHash()
        hash.add(probe.configuration.description)
        hash.add(UInt64(pass.width))
        hash.add(UInt64(pass.outputCount))
        for parameter in probe.parameters { hash.add(UInt64(parameter.bitPattern)) }
        return hash.value
    }
}

// Numbers and parts of bytes, one after the other.
private struct ByteReader {
    let bytes: [UInt8]
    let name: String
    var place = 0

    mutating func part(_ count: Int, _ what: String) throws(DataError) -> ArraySlice<UInt8> {
        guard count <= bytes.count - place else {
            throw DataError(
                .truncated, name, what, expected: "\(count) bytes from \(place) on",
                found: "\(bytes.count - place): the stream is cut short")
        }
        place += count
        return bytes[place - count..<place]
    }

    mutating func number(_ what: String) throws(DataError) -> UInt64 {
        try part(8, what).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    mutating func count(_ what: String) throws(DataError) -> Int {
        let number = try number(what)
        guard let count = Int(exactly: number), count < 1 << 48 else {
            throw DataError(.header, name, what, expected: "a number of things", found: "\(number)")
        }
        return count
    }
}
