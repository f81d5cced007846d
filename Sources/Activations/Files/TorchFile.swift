// What torch.save writes since PyTorch 1.6: a zip archive whose first member, NAME/data.pkl, is a pickle of one value, with
// the bytes of each storage as they are in a member NAME/data/KEY, from a multiple of 64 on. NAME/byteorder says `little`
// or `big`; older files have none and are little-endian.
//
// The pickle is read by `PickleReader`, which calls nothing. What the value has to be is in `TorchContents`.
import Storage

enum TorchFile: TensorContainer {
    static let endings = [".pt", ".pth"]
    static let marks: [[UInt8]] = []

    private static let pickleName = "data.pkl"

    /// What keeps a file from being read, and what to do in Python.
    static let wayOut =
        "; in Python, if you trust the file: import torch; x = torch.load(\"IN.pt\", weights_only=False); "
        + "torch.save({\"hidden_states\": [x[…], …], \"labels\": [x[…], …]}, \"OUT.pt\")"

    // The header of a zip archive's first member has its name from byte 30 on.
    static func recognises(_ file: ByteSource) -> Bool {
        let start = file.bytes(0..<min(30 + 256, file.count))
        guard start.count > 30, start.starts(with: [0x50, 0x4B, 3, 4]) else { return false }
        let name = start[30...].prefix(Int(start[26]) | Int(start[27]) << 8)
        return String(decoding: name, as: UTF8.self).hasSuffix(pickleName)
    }

    static func open(_ file: ByteSource) throws(DataError) -> TensorFile {
        let archive = try TorchArchive(file)
        let pickle: Pickle
        do {
            pickle = try PickleReader.read(archive.pickle)
        } catch {
            throw DataError(
                .array, file.path, "data.pkl, byte \(error.place)", expected: error.expected,
                found: error.found + wayOut)
        }
        var contents = TorchContents(pickle, archive)
        try contents.add(pickle.root)
        return contents.file
    }
}

/// The members of such an archive.
struct TorchArchive {
    let file: ByteSource
    /// The bytes of the pickle.
    let pickle: [UInt8]
    private let directory: ZipDirectory
    private let storages: [String: ZipDirectory.Member]
    private let isBigEndian: Bool

    init(_ file: ByteSource) throws(DataError) {
        self.file = file
        do throws(ZipDirectory.Fault) {
            directory = try ZipDirectory(file)
            guard let first = directory.members.first(where: { $0.name.hasSuffix("data.pkl") }) else {
                throw ZipDirectory.Fault(found: "no data.pkl among its members")
            }
            let folder = String(first.name.dropLast("data.pkl".count))
            let start = folder + "data/"
            storages = Dictionary(
                directory.members.lazy.filter { $0.name.hasPrefix(start) }
                    .map { (String($0.name.dropFirst(start.count)), $0) }
            ) { first, _ in first }
            let place = try Self.bytes(of: first, directory)
            guard place.count <= PickleReader.longest else {
                throw ZipDirectory.Fault(found: "a pickle of \(place.count) bytes")
            }
            pickle = file.bytes(place)
            var order: [UInt8] = []
            if let member = directory.members.first(where: { $0.name == folder + "byteorder" }) {
                order = file.bytes(try Self.bytes(of: member, directory))
            }
            isBigEndian = order == Array("big".utf8)
        } catch {
            throw DataError(
                .truncated, file.path, expected: "a zip archive as torch.save writes it", found: error.found)
        }
    }

    private static func bytes(of member: ZipDirectory.Member, _ directory: ZipDirectory)
        throws(ZipDirectory.Fault) -> Range<Int>
    {
        guard member.isStored else { throw ZipDirectory.Fault(found: "\(member.name) packed or encrypted") }
        return try directory.bytes(of: member)
    }

    /// Where the elements of a tensor are.
    ///
    /// - Throws: `DataError` where its storage is not in the file, or it has elements outside.
    func elements(_ tensor: TorchTensor, of storage: TorchStorage, _ name: String) throws(DataError)
        -> StoredElements
    {
        func fault(_ expected: String, _ found: String) -> DataError {
            DataError(.tensorBounds, file.path, "tensor \(name)", expected: expected, found: found)
        }
        guard let member = storages[storage.key] else {
            throw fault("a storage among the \(storages.count) of the file", "\(storage.key)")
        }
        let bytes: Range<Int>
        do {
            bytes = try Self.bytes(of: member, directory)
        } catch {
            throw fault("a storage that is stored as it is", error.found)
        }
        // All types that a pickle may name have a size.
        let size = Safetensors.elementSizes[tensor.type]!
        guard tensor.shape.allSatisfy({ $0 >= 0 }), tensor.strides.allSatisfy({ $0 >= 0 }),
            tensor.offset >= 0,
            let wanted = Safetensors.byteCount(tensor.shape, size)
        else { throw fault("shape and strides that can be", "\(tensor.shape), \(tensor.strides)") }
        guard let last = Self.lastElement(tensor), last < bytes.count / size else {
            throw fault("elements among the \(bytes.count / size) of its storage", "others behind them")
        }
        guard wanted <= bytes.count else {
            throw fault(
                "a tensor that has each element once (save tensor.clone())",
                "\(tensor.shape) of \(bytes.count / size) elements")
        }
        return StoredElements(
            file: file, start: bytes.lowerBound + tensor.offset * size, type: tensor.type, size: size,
            shape: tensor.shape, strides: tensor.strides, isBigEndian: isBigEndian)
    }

    // The element that is furthest in the storage, -1 where there are none; nil where that is no Int.
    private static func lastElement(_ tensor: TorchTensor) -> Int? {
        guard !tensor.shape.contains(0) else { return -1 }
        var last = tensor.offset
        for (size, stride) in zip(tensor.shape, tensor.strides) {
            let (step, isFar) = (size - 1).multipliedReportingOverflow(by: stride)
            let (sum, isFarther) = last.addingReportingOverflow(step)
            guard !isFar, !isFarther else { return nil }
            last = sum
        }
        return last
    }
}
