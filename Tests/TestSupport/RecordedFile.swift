import Foundation

/// Files that other tools have written, by `Recorded/record.py`: the same six tokens, two wide, of three sequences of 2, 1
/// and 3 tokens, or each as a pooled state.
public enum RecordedFile {
    /// Its path.
    public static func path(_ name: String) -> String {
        Bundle.module.resourceURL!.appendingPathComponent("Recorded/\(name)").path
    }

    /// Its bytes.
    public static func bytes(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: path(name))))
    }

    /// The states in all of them.
    public static let values: [Float] = [1, 2, 3, 4, 5, -6, 7, 8, 0, 10, -11, 12]
}

/// The bytes of a zip archive whose members are stored as they are, each after a header of its own, with the parts that
/// a test may want to be wrong.
public func literalZip(_ members: [(name: String, bytes: [UInt8])], statedSize: Int? = nil) -> [UInt8] {
    func number(_ value: Int, _ count: Int) -> [UInt8] { Array(integerBytes(value)[..<count]) }
    var (archive, table): ([UInt8], [UInt8]) = ([], [])
    for (name, bytes) in members {
        let size = number(statedSize ?? bytes.count, 4)
        // Version, flags, method, time, date and checksum; sizes and lengths.
        let entry =
            [20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0, 0, 0, 0, 0] + size + size + number(name.utf8.count, 2) + [
                0, 0,
            ]
        table +=
            [0x50, 0x4B, 1, 2, 20, 0] + entry + Array(repeating: 0, count: 10) + number(archive.count, 4)
            + Array(name.utf8)
        archive += [0x50, 0x4B, 3, 4] + entry + Array(name.utf8) + bytes
    }
    let count = number(members.count, 2)
    return archive + table + [0x50, 0x4B, 5, 6, 0, 0, 0, 0] + count + count + number(table.count, 4)
        + number(archive.count, 4) + [0, 0]
}

/// The bytes of a file as torch.save writes it, of a pickle and storages written out by hand.
public func literalTorch(_ pickle: [UInt8], storages: [[UInt8]] = [], statedSize: Int? = nil) -> [UInt8] {
    literalZip(
        [("x/data.pkl", pickle)] + storages.enumerated().map { ("x/data/\($0)", $1) }, statedSize: statedSize)
}
