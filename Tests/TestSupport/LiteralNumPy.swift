import Foundation

/// The bytes of a .npy file with this header, written out by hand, and these elements.
public func literalNumPy(
    _ descr: String, _ shape: String, _ data: [UInt8], isFortran: Bool = false, version: UInt8 = 1
) -> [UInt8] {
    var header = Array(
        "{'descr': \(descr), 'fortran_order': \(isFortran ? "True" : "False"), 'shape': \(shape), }".utf8)
    header += Array(repeating: 0x20, count: (64 - (header.count + 11) % 64) % 64) + [0x0A]
    let length = UInt8(header.count)
    let start: [UInt8] =
        [0x93] + Array("NUMPY".utf8) + [version, 0, length, 0] + (version > 1 ? [0, 0] : [])
    return start + header + data
}

/// Archives as NumPy writes them.
public enum LiteralArchive {
    /// `savez(hidden_state=[[1, 2], [3, 4], [5, 6]])`, float32.
    public static let stored = bytes(
        """
        UEsDBC0AAAAAAAAAIQD/v0I1//////////8QABQAaGlkZGVuX3N0YXRlLm5weQEAEACYAAAAAAAAAJgAAAAAAAAAk05VTVBZAQB2\
        AHsnZGVzY3InOiAnPGY0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDMsIDIpLCB9ICAgICAgICAgICAgICAg\
        ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAIA/AAAAQAAAQEAAAIBAAACgQAAAwEBQSwECLQMt\
        AAAAAAAAACEA/79CNZgAAACYAAAAEAAAAAAAAAAAAAAAgAEAAAAAaGlkZGVuX3N0YXRlLm5weVBLBQYAAAAAAQABAD4AAADaAAAA\
        AAA=
        """)

    /// `savez_compressed(hidden_states=…, offsets=[0, 1, 3])` of the same states.
    public static let deflated = bytes(
        """
        UEsDBC0AAAAIAAAAIQD/v0I1//////////8RABQAaGlkZGVuX3N0YXRlcy5ucHkBABAAmAAAAAAAAABYAAAAAAAAAJvsF+obEMnI\
        UMZQrZ6SWpxcpG6loG6TZqKuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GsY6CkaaOgq1CmQDLgaGBnsGBgYHIALiBiBe\
        AMQHHABQSwMELQAAAAgAAAAhAGlAuCb//////////wsAFABvZmZzZXRzLm5weQEAEACYAAAAAAAAAEwAAAAAAAAAm+wX6hsQychQ\
        xlCtnpJanFykbqWgbpNpoa6joJ6WX1RSlJgXn1+UkgoSd0vMKU4FihdnJBakAvkaxjqaOgq1ChQALgYoYITSzFAaAFBLAQItAy0A\
        AAAIAAAAIQD/v0I1WAAAAJgAAAARAAAAAAAAAAAAAACAAQAAAABoaWRkZW5fc3RhdGVzLm5weVBLAQItAy0AAAAIAAAAIQBpQLgm\
        TAAAAJgAAAALAAAAAAAAAAAAAACAAZsAAABvZmZzZXRzLm5weVBLBQYAAAAAAgACAHgAAAAkAQAAAAA=
        """)

    /// The same states with `labels=array([{}, 1], dtype=object)`, which NumPy pickles.
    public static let pickled = bytes(
        """
        UEsDBC0AAAAIAAAAIQD/v0I1//////////8QABQAaGlkZGVuX3N0YXRlLm5weQEAEACYAAAAAAAAAFgAAAAAAAAAm+wX6hsQychQ\
        xlCtnpJanFykbqWgbpNmoq6joJ6WX1RSlJgXn1+UkgoSd0vMKU4FihdnJBakAvkaxjoKRpo6CrUKZAMuBoYGewYGBgcgAuIGIF4A\
        xAccAFBLAwQtAAAACAAAACEAc5tQWP//////////CgAUAGxhYmVscy5ucHkBABAAGQEAAAAAAADHAAAAAAAAAJvsF+obEMnIUMZQ\
        rZ6SWpxcpG6loF7jr66joJ6WX1RSlJgXn1+UkgoSdkvMKU4FihdnJBakAvkaRjqaOgq1CpQArgaWqX0MENAjlleaW1CpF5+cX5Sq\
        l1uaU5KZWFSUWDmlhye+KDU5P6+4pKg0uWTK5Ck9rGCVU3rY81IgSiZP8WZoneLMmDSlfUrQFA1vRm+m1ikZzD2sKSWVBakgLUz+\
        FlM6OyCyzD2MNVP8/Py8/gMBmPC2L5mS1Bk7RaN2ijdjKpCtBwBQSwECLQMtAAAACAAAACEA/79CNVgAAACYAAAAEAAAAAAAAAAA\
        AAAAgAEAAAAAaGlkZGVuX3N0YXRlLm5weVBLAQItAy0AAAAIAAAAIQBzm1BYxwAAABkBAAAKAAAAAAAAAAAAAACAAZoAAABsYWJl\
        bHMubnB5UEsFBgAAAAACAAIAdgAAAJ0BAAAAAA==
        """)

    /// An archive without members: the end of its table alone.
    public static let empty: [UInt8] = [0x50, 0x4B, 5, 6] + Array(repeating: 0, count: 18)

    /// An archive whose table states that the first array unpacks to 2 GB.
    public static let bomb: [UInt8] = {
        var bytes = deflated
        let entry = bytes.indices.first { bytes[$0...].starts(with: [0x50, 0x4B, 1, 2]) }!
        bytes.replaceSubrange(entry + 24..<entry + 28, with: [0xFF, 0xFF, 0xFF, 0x7F])
        return bytes
    }()

    /// An archive with a wrong bit in the states.
    public static let damaged: [UInt8] = {
        var bytes = stored
        let value = bytes.indices.first { bytes[$0...].starts(with: [0, 0, 0x80, 0x3F]) }!
        bytes[value] ^= 1
        return bytes
    }()

    /// An archive of 17039360 float32 zeros, 2 wide, stored: more than is unpacked into memory.
    public static var large: [UInt8] {
        let size = 65 << 20
        let array = literalNumPy("'<f4'", "(\(size / 8), 2)", Array(repeating: 0, count: size))
        func number(_ value: Int, _ count: Int) -> [UInt8] { Array(integerBytes(value)[..<count]) }
        let name = Array("hidden_states.npy".utf8)
        // Version, flags, method, time and date; checksum, sizes and lengths.
        let entry =
            [20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0] + number(0x243E7A05, 4) + number(array.count, 4)
            + number(array.count, 4) + number(name.count, 2) + [0, 0]
        let member = [0x50, 0x4B, 3, 4] + entry + name + array
        let table = [0x50, 0x4B, 1, 2, 20, 0] + entry + Array(repeating: 0, count: 14) + name
        return member + table + [0x50, 0x4B, 5, 6, 0, 0, 0, 0, 1, 0, 1, 0] + number(table.count, 4)
            + number(member.count, 4) + [0, 0]
    }

    private static func bytes(_ base64: String) -> [UInt8] { Array(Data(base64Encoded: base64)!) }
}
