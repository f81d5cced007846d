// safetensors: a header length (8 bytes, little-endian), a JSON object, then the bytes of all
// tensors end to end:
//
//     {"__metadata__": {string: string}, "name": {"dtype": "F32", "shape": [3, 2],
//      "data_offsets": [begin, end]}, …}       offsets count from the first byte after the header
//
// The tensors must cover the bytes behind the header without gap or overlap; the reader relies on
// nothing else in a file.
private import FoundationEssentials
package import Storage

/// The safetensors format. Nothing but the header is read when a file is opened.
package enum Safetensors: TensorContainer {
    package static let endings = [".safetensors"]
    package static let marks: [[UInt8]] = []

    /// The longest header that is read: 100 MB, as in the format's own library.
    static let longestHeader = 100_000_000

    // The first two bytes of pickled objects, protocols 2 to 5.
    private static let pickle = (2...5).map { UInt64($0) << 8 | 0x80 }
    // Those of the file that torch.save wrote before: a number of ten bytes.
    private static let torchPickle: UInt64 = 0x0A8A_0280
    // How it is read all the same: torch.save writes archives since PyTorch 1.6.
    private static let wayFromPyTorch =
        "torch.save(torch.load(\"IN.pt\"), \"OUT.pt\") in Python makes one that is read"

    /// Bytes of one element of the types that the format names.
    static let elementSizes = [
        "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4,
        "U16": 2, "U8": 1, "BOOL": 1, "C64": 8, "F8_E4M3": 1, "F8_E5M2": 1,
    ]

    /// Checks the header of an open file.
    ///
    /// - Throws: `DataError` where it breaks the format.
    package static func open(_ file: ByteSource) throws(DataError) -> TensorFile {
        let path = file.path
        guard file.count >= 8 else {
            throw DataError(
                .truncated, path, expected: "a safetensors file of at least 8 bytes",
                found: file.count == 0 ? "an empty file" : "\(file.count) bytes")
        }
        let stated = file.withBytes(0..<8) { load($0, as: UInt64.self).littleEndian }
        guard stated <= UInt64(longestHeader) else {
            throw DataError(
                .headerLength, path,
                expected: "a safetensors file, which starts with the length of its header",
                found: foundInstead(stated))
        }
        let start = 8 + Int(stated)
        guard start <= file.count else {
            throw DataError(
                .truncated, path, "header", expected: "\(stated) bytes as the file states",
                found: "\(file.count - 8): the file is cut short or no safetensors file")
        }
        let header = try header(file.bytes(8..<start), path)
        return TensorFile(
            file, self, metadata: header.metadata, tensors: try place(header.entries, from: start, in: file))
    }

    // What a file that begins with these bytes is.
    private static func foundInstead(_ start: UInt64) -> String {
        if start & 0xFFFF_FFFF == torchPickle { return "an older file of torch.save; \(wayFromPyTorch)" }
        if pickle.contains(start & 0xFFFF) { return "pickled Python objects, which are not read" }
        return others[UInt32(truncatingIfNeeded: start)] ?? "another format"
    }

    // Formats that are not read, by their first four bytes.
    private static let others: [UInt32: String] = [
        0x4644_4889: "an HDF5 file; python -m attention_probes.convert writes it as safetensors",
        0x3152_4150: "a Parquet file; python -m attention_probes.convert writes it as safetensors",
        0x4F52_5241: "an Arrow file; python -m attention_probes.convert writes it as safetensors",
    ]

    private static func header(_ bytes: [UInt8], _ path: String) throws(DataError) -> SafetensorsHeader {
        if let header = SafetensorsHeader(plain: bytes) { return header }
        do {
            return try JSONDecoder().decode(SafetensorsHeader.self, from: Data(bytes))
        } catch {
            throw DataError(
                .header, path, "header", expected: "a JSON object of tensors",
                found: SafetensorsHeader.fault(error))
        }
    }

    // Checks sizes against shapes, and that the tensors cover the bytes exactly once.
    private static func place(
        _ entries: NamedValues<SafetensorsHeader.Entry>, from start: Int, in file: ByteSource
    ) throws(DataError) -> NamedValues<TensorFile.Tensor> {
        let available = file.count - start
        var covered = 0
        var previous: String?
        let ordered = entries.elements.sorted {
            ($0.value.begin, $0.value.end, $0.name) < ($1.value.begin, $1.value.end, $1.name)
        }
        for (name, entry) in ordered {
            var before: String { previous.map { "tensor \($0)" } ?? "the header" }
            var place: String { "tensor \(name)" }
            guard entry.begin >= 0, entry.begin <= entry.end else {
                throw DataError(
                    .tensorBounds, file.path, place, expected: "data_offsets that rise",
                    found: "\(entry.begin) to \(entry.end)")
            }
            guard entry.end <= available else {
                throw DataError(
                    .truncated, file.path, place,
                    expected: "bytes \(entry.begin) to \(entry.end) of the data",
                    found: "\(available) bytes of data: the file is cut short")
            }
            if let size = elementSizes[entry.type] {
                guard let wanted = byteCount(entry.shape, size), wanted == entry.end - entry.begin else {
                    throw DataError(
                        .tensorBounds, file.path, place,
                        expected: "the bytes of \(entry.type) \(entry.shape)",
                        found: "\(entry.end - entry.begin) bytes")
                }
            }
            guard entry.begin >= covered else {
                throw DataError(
                    .tensorOverlap, file.path, place, expected: "bytes of its own from \(covered) on",
                    found: "bytes from \(entry.begin) on, shared with \(before)")
            }
            guard entry.begin == covered else {
                throw DataError(
                    .tensorBounds, file.path, place, expected: "bytes from \(covered) on",
                    found: "bytes from \(entry.begin) on: a gap after \(before)")
            }
            covered = entry.end
            previous = name
        }
        guard covered == available else {
            throw DataError(
                .tensorBounds, file.path, expected: "\(covered) bytes of data, the tensors' sum",
                found: "\(available)")
        }
        return entries.mapValues {
            TensorFile.Tensor(type: $0.type, shape: $0.shape, bytes: start + $0.begin..<start + $0.end)
        }
    }

    // Elements times size, or nil where that is no Int.
    static func byteCount(_ shape: [Int], _ size: Int) -> Int? {
        var count = size
        for dimension in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: dimension)
            guard dimension >= 0, !overflow else { return nil }
            count = product
        }
        return count
    }
}
