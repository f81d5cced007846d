import AttentionProbes
@testable import Activations
import Foundation
import TestSupport
import Testing

/// The rule that reading bytes breaks, with the message; nil if it breaks none.
private func fault(_ bytes: [UInt8]) throws -> DataError? {
    let folder = try TemporaryFolder()
    let path = try folder.write(bytes, to: "file.safetensors")
    do {
        _ = try Safetensors.open(path: path)
        return nil
    } catch let error as DataError {
        #expect(error.path == path && !error.description.contains("\n"))
        return error
    }
}

@Suite("safetensors, rule by rule")
struct SafetensorsTests {
    @Test func aWholeFile() throws {
        let folder = try TemporaryFolder()
        let header = """
            {"__metadata__":{"a":"b"},"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},\
            "y":{"dtype":"I64","shape":[],"data_offsets":[8,16]}}
            """
        let path = try folder.write(
            literalSafetensors(header, floatBytes(1, -2) + integerBytes(7)), to: "file")
        let file = try Safetensors.open(path: path)
        #expect(file.metadata == ["a": "b"])
        #expect(file.floats(file.tensors["x"]!) == [1, -2])
        #expect(file.integers(file.tensors["y"]!) == [7] && file.tensors["y"]!.shape == [])
    }

    // As other libraries write it: fields in any order, spaces, more tensors than are looked through one by one.
    @Test func headersOfOtherLibraries() throws {
        let folder = try TemporaryFolder()
        for count in [2, 300] {
            let entries = (0..<count).map {
                "\"t\($0)\" : {\"data_offsets\": [\($0), \($0 + 1)],\n\t\"shape\":[ 1 ], \"dtype\":\"U8\"}"
            }
            let header =
                "{ \(entries.joined(separator: ", ")), \"__metadata__\": {\"say \\\"so\\\"\": \"\\\"\\\"\"} }  "
            let bytes = (0..<count).map { UInt8($0 % 251) }
            let file = try Safetensors.open(
                path: folder.write(literalSafetensors(header, bytes), to: "\(count)"))
            #expect(file.tensors.names.count == count && file.metadata == ["say \"so\"": "\"\""])
            for index in [0, count - 1] {
                let tensor = try #require(file.tensors["t\(index)"])
                #expect(file.integers(tensor) == [index % 251] && tensor.shape == [1])
            }
        }
    }

    // What the short way through a header accepts, the decoder must understand in the same way: every byte
    // replaced by others, left out and put twice.
    @Test func scannedHeadersAreDecodedAlike() throws {
        let header = Array(
            #"{"__metadata__":{"a\"b":"[\"c\"]"}, "x":{"dtype":"F32","shape":[2,10],"data_offsets":[0,80]} }"#
                .utf8)
        func content(_ header: SafetensorsHeader) -> [String] {
            header.metadata.map { "\($0.key)=\($0.value)" }.sorted()
                + header.entries.elements.map {
                    "\($0.name) \($0.value.type) \($0.value.shape) \($0.value.begin) \($0.value.end)"
                }.sorted()
        }
        var accepted = 0
        for index in header.indices {
            let others =
                Array("\"\\{}[]:,0x- \n\u{7F}\0".utf8).map { [$0] } + [[], [header[index], header[index]]]
            for other in others {
                let changed = Array(header[..<index]) + other + Array(header[(index + 1)...])
                guard let scanned = SafetensorsHeader(plain: changed) else { continue }
                accepted += 1
                let decoded = try? JSONDecoder().decode(SafetensorsHeader.self, from: Data(changed))
                let text = String(decoding: changed, as: UTF8.self)
                #expect(decoded.map(content) == content(scanned), "\(text)")
            }
        }
        #expect(accepted > 100 && SafetensorsHeader(plain: header) != nil)
    }

    @Test(arguments: [
        ([], DataError.Rule.truncated),
        ([1, 2, 3], .truncated),
        (Array("{\"x\": not safetensors at all}".utf8), .headerLength),
        ([200, 0, 0, 0, 0, 0, 0, 0, 123, 125], .truncated),
        (literalSafetensors("[1]"), .header),
        (literalSafetensors("{"), .header),
        (literalSafetensors(#"{"x":{"dtype":"F32","shape":[1]}}"#, [0, 0, 0, 0]), .header),
        (
            literalSafetensors(#"{"x":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}"#, [0, 0, 0, 0]),
            .header
        ),
        (
            literalSafetensors(#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0]}}"#, [0, 0, 0, 0]),
            .header
        ),
        (
            literalSafetensors(
                #"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4,"data_offsets":[0,4]}}"#, [0, 0, 0, 0]),
            .header
        ),
        (
            literalSafetensors(
                #"{"x":{"dtype":"F32","shape":[,"shape":[1],"data_offsets":[0,4]}}"#, [0, 0, 0, 0]),
            .header
        ),
        (literalSafetensors(#"{"__metadata__":{"a":1}}"#), .header),
        (
            literalSafetensors(#"{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, [0, 0, 0, 0]),
            .truncated
        ),
        (
            literalSafetensors(#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, [0, 0, 0, 0]),
            .tensorBounds
        ),
        (
            literalSafetensors(#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}"#, [0, 0, 0, 0]),
            .tensorBounds
        ),
        (
            literalSafetensors(#"{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, [0, 0, 0, 0]),
            .tensorBounds
        ),
        (
            literalSafetensors(#"{"x":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, [0, 0, 0, 0]),
            .tensorBounds
        ),
        (
            literalSafetensors(
                #"{"x":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}}"#, [0, 0, 0, 0]),
            .tensorBounds
        ),
        (
            literalSafetensors(
                #"{"x":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"y":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}"#,
                [0, 0, 0, 0]), .tensorOverlap
        ),
        (
            literalSafetensors(
                #"{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"y":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}"#,
                [0, 0, 0, 0]), .tensorBounds
        ),
        (
            literalSafetensors(#"{"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}"#, [0, 0, 0, 0]),
            .tensorBounds
        ),
    ])
    func brokenFiles(bytes: [UInt8], rule: DataError.Rule) throws {
        #expect(try fault(bytes)?.rule == rule)
    }

    @Test func everyPrefixIsRefused() throws {
        let whole = literalSafetensors(#"{"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}"#, [5, 6])
        #expect(try fault(whole) == nil)
        for count in 0..<whole.count { #expect(try fault(Array(whole[..<count])) != nil, "\(count) bytes") }
    }

    @Test func writtenFilesAreRead() throws {
        let folder = try TemporaryFolder()
        var writer = SafetensorsWriter(metadata: ["quote": "\"\\\n/é"])
        writer.add("b", [1.5, -0.0, .pi], shape: [3, 1])
        writer.add("a", [1, -2], shape: [2])
        writer.add("text", bytes: Array("é".utf8))
        try writer.write(to: folder("out"))
        let file = try Safetensors.open(path: folder("out"))
        #expect(file.metadata == ["quote": "\"\\\n/é"])
        #expect(
            file.floats(file.tensors["b"]!).map(\.bitPattern) == [Float(1.5), -0.0, .pi].map(\.bitPattern))
        #expect(file.integers(file.tensors["a"]!) == [1, -2])
        #expect(file.tensors["b"]!.bytes.lowerBound % 8 == 0)
    }
}
