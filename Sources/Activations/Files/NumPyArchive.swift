// .npz: a zip archive of .npy files, stored (np.savez) or deflated (np.savez_compressed). Names of arrays are
// those of activation files or what other tools say for them (`NamedParts`), and `hidden_states` is whatever the only array
// is called; beside it `offsets`, `attention_mask`, `labels`, `groups`, `token_ids` and so on. Arrays are unpacked when they are
// needed: small ones into memory, large ones into a file that is mapped.
//
// What an archive states is believed within limits, so that a small file cannot fill the disk: all members together may
// unpack to 200 times its size (or to 1 MB), and must find room. One alone may to more: a mask of 1s does.
internal import Tensors
import Storage

enum NumPyArchive: TensorContainer {
    static let endings = [".npz"]
    // A zip archive, and an empty one.
    static let marks = [Array("PK\u{3}\u{4}".utf8), Array("PK\u{5}\u{6}".utf8)]

    private static let largestRatio = 200
    private static let freeOfRatio = 1 << 20

    /// The arrays of an archive.
    ///
    /// - Throws: `DataError` where it is damaged, holds objects, or unpacks to more than the limits.
    static func open(_ file: ByteSource) throws(DataError) -> TensorFile {
        let path = file.path
        do {
            let archive = try ZipArchive(path: path)
            let members = archive.members.filter { $0.name.hasSuffix(".npy") }
            guard !members.isEmpty else {
                let first = archive.members.first?.name
                throw DataError(
                    .missingTensor, path, expected: "an archive of arrays (.npy)",
                    found: first ?? "an empty archive")
            }
            try checkSizes(members, file)
            var arrays: [(name: String, array: NumPyArray)] = []
            for (member, start) in zip(members, try archive.starts(of: members, NumPyArray.longestHeader)) {
                let name = String(member.name.dropLast(4))
                arrays.append((name, try NumPyArray(start, path, "array \(name)", size: member.size)))
            }
            let (contents, starts) = archive.contents(of: members)
            // Others than the states are needed at once.
            if arrays.count > 1 { contents.withBytes(0..<contents.count) { _ in } }
            if let error = DataError(ifCut: contents) { throw error }
            var parts = NamedParts()
            var names: Set<String> = []
            for (index, (name, array)) in arrays.enumerated() {
                guard names.insert(name).inserted else {
                    throw DataError(.array, path, "array \(name)", expected: "one of a name", found: "two")
                }
                array.add(
                    arrays.count == 1 ? "hidden_states" : name, to: &parts, contents,
                    at: starts[index] + array.start)
            }
            return parts.file(contents, self)
        } catch let error as DataError {
            throw error
        } catch {
            let reason = (error as? ZipArchive.Fault)?.reason ?? "\(error)"
            throw DataError(.truncated, path, expected: "an archive that can be unpacked", found: reason)
        }
    }

    private static func checkSizes(_ members: [ZipArchive.Member], _ file: ByteSource) throws(DataError) {
        var size = 0
        var isTooLarge = false
        for member in members where !isTooLarge {
            (size, isTooLarge) = size.addingReportingOverflow(member.size)
        }
        guard !isTooLarge, size <= freeOfRatio || size / largestRatio <= file.count else {
            throw DataError(
                .array, file.path,
                expected:
                    "at most \(largestRatio) times the \(file.count) bytes of the archive when it is unpacked",
                found: isTooLarge ? "more than can be counted" : "\(size)")
        }
        let room = ZipArchive.room
        guard size <= max(ZipArchive.mostMemory, room.bytes) else {
            throw DataError(
                .noRoom, file.path,
                expected:
                    "room for \(size) bytes unpacked in \(room.folder), or in another folder that TMPDIR names",
                found: "\(room.bytes)")
        }
    }
}
