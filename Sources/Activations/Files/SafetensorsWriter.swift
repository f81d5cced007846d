// Writes the format that Safetensors.swift reads.
private import FoundationEssentials
internal import Tensors
import Storage

/// The bytes of a safetensors file: tensors in the order given, the header padded with spaces so
/// that the data start at a multiple of 8.
package struct SafetensorsWriter {
    private struct Entry: Encodable {
        let dtype: String
        let shape: [Int]
        let data_offsets: [Int]
    }

    private let metadata: [String: String]
    private var entries: [String: Entry] = [:]
    private var data: [UInt8] = []

    package init(metadata: [String: String]) { self.metadata = metadata }

    /// Adds an F32 tensor, row-major.
    package mutating func add(_ name: String, _ values: [Float], shape: [Int]) {
        add(name, "F32", shape, values.flatMap { $0.bitPattern.littleEndianBytes })
    }

    /// Adds an I64 tensor, row-major.
    package mutating func add(_ name: String, _ values: [Int], shape: [Int]) {
        add(name, "I64", shape, values.flatMap { Int64($0).littleEndianBytes })
    }

    /// Adds bytes as a U8 tensor.
    package mutating func add(_ name: String, bytes: [UInt8]) { add(name, "U8", [bytes.count], bytes) }

    private mutating func add(_ name: String, _ type: String, _ shape: [Int], _ bytes: [UInt8]) {
        entries[name] = Entry(
            dtype: type, shape: shape, data_offsets: [data.count, data.count + bytes.count])
        data += bytes
    }

    /// The whole file.
    ///
    /// - Parameter path: what an error calls it.
    package func bytes(of path: String) throws -> [UInt8] {
        for (name, entry) in entries {
            let stated = Safetensors.byteCount(entry.shape, Safetensors.elementSizes[entry.dtype]!) ?? -1
            try Self.check(path, name, stated, written: entry.data_offsets[1] - entry.data_offsets[0])
        }
        return try header(entries) + data
    }

    /// The start of a file of these tensors, whose bytes follow in the order given.
    static func header(
        metadata: [String: String], _ tensors: [(name: String, type: String, shape: [Int], byteCount: Int)]
    ) throws -> [UInt8] {
        var entries: [String: Entry] = [:]
        var end = 0
        for tensor in tensors {
            entries[tensor.name] = Entry(
                dtype: tensor.type, shape: tensor.shape, data_offsets: [end, end + tensor.byteCount])
            end += tensor.byteCount
        }
        return try SafetensorsWriter(metadata: metadata).header(entries)
    }

    private func header(_ entries: [String: Entry]) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var fields = try entries.map { name, entry in
            try (name, String(decoding: encoder.encode([name: entry]), as: UTF8.self).dropFirst().dropLast())
        }
        fields.sort { $0.0 < $1.0 }
        let metadataField = try String(decoding: encoder.encode(["__metadata__": metadata]), as: UTF8.self)
        let parts = (metadata.isEmpty ? [] : [metadataField.dropFirst().dropLast()]) + fields.map(\.1)
        var header = Array("{\(parts.joined(separator: ","))}".utf8)
        header += Array(repeating: UInt8(ascii: " "), count: (8 - header.count % 8) % 8)
        return Int64(header.count).littleEndianBytes + header
    }

    /// Refuses a tensor of another size than the header states.
    ///
    /// - Throws: `DataError`.
    static func check(_ path: String, _ name: String, _ stated: Int, written: Int) throws(DataError) {
        guard stated != written else { return }
        throw DataError(
            .truncated, path, "tensor \(name)", expected: "\(stated) bytes to write, as its header states",
            found: "\(written)")
    }

    /// Writes the file beside its target and renames it.
    package func write(to path: String) throws {
        let output = try OutputFile(path: path)
        try output.write(bytes(of: path))
        try output.commit()
    }
}

extension FixedWidthInteger {
    var littleEndianBytes: [UInt8] {
        (0..<Self.bitWidth / 8).map { UInt8(truncatingIfNeeded: self >> (8 * $0)) }
    }
}
