// A folder of activations as models-under-pressure keeps it (src/models_under_pressure/activation_store.py in
// Arrrlex/models-under-pressure), every file a tensor alone that torch.save has written and zstd has packed:
//
//     activations/ID_LAYER.pt.zst     N×S×D
//     attention_masks/ID.pt.zst       N×S, for all layers of a dataset
//     input_ids/ID.pt.zst             N×S
//     manifest.json                   {"rows": [{"activations": "activations/ID_LAYER.pt.zst", "model_name": …,
//                                     "dataset_path": …, …}]}
//
// The tool leaves a file unpacked beside the packed one when it has read it, `.pt`; either will do. Labels are in the
// dataset's own table, in the order of the rows.
import Storage
private import Synchronization

/// What such a folder has of the sequences of one file of activations.
struct ActivationStore: Sendable {
    private static let (activations, masks, inputIDs) = ("activations", "attention_masks", "input_ids")
    private static let ending = ".pt"
    private static let longestManifest = 1 << 26

    private let mask: String
    private let tokenIDs: String?
    private let layer: Int
    private let manifest: String
    // The name of the file in the manifest.
    private let name: String

    /// The folder of activations in one that is such a store; nil for others.
    static func activations(_ folder: String) -> String? {
        let start = folder.utf8.last == UInt8(ascii: "/") ? folder : folder + "/"
        let inner = start + activations
        return isFolder(start + masks) && isFolder(inner) ? inner : nil
    }

    /// - Returns: nil for a file that lies in no such folder.
    init?(of path: String) {
        let plain = ZstdFile.nameUnpacked(path)
        var parts = plain.split(separator: "/", omittingEmptySubsequences: false)
        guard plain.hasSuffix(Self.ending), let file = parts.popLast() else { return nil }
        let stem = file.dropLast(Self.ending.count)
        // A path from inside the folder has no folder's name.
        guard let mark = stem.lastIndex(of: "_"), let layer = Int(stem[stem.index(after: mark)...]),
            parts.popLast().map({ $0 == Self.activations }) ?? false
        else { return nil }
        let root = parts.isEmpty ? "" : parts.joined(separator: "/") + "/"
        func found(_ folder: String) -> String? {
            let path = root + folder + "/" + stem[..<mark] + Self.ending
            return [path, ZstdFile.namePacked(path)].first { FileIdentity(regularFile: $0) != nil }
        }
        guard let mask = found(Self.masks) else { return nil }
        (self.mask, self.layer, tokenIDs) = (mask, layer, found(Self.inputIDs))
        manifest = root + "manifest.json"
        name = Self.activations + "/" + file
    }

    /// Adds it to what the file of activations holds.
    ///
    /// - Throws: `SystemError` where a file of it cannot be read; `DataError` where one breaks its format, or is no tensor
    ///   alone.
    func add(to parts: inout NamedParts) throws {
        // A file with names of its own says all of itself.
        guard parts.tensors.keys.elementsEqual(["hidden_states"]) else { return }
        try parts.add("attention_mask", of: TensorFile(path: mask))
        if let tokenIDs { try parts.add("token_ids", of: TensorFile(path: tokenIDs)) }
        parts.metadata["layer"] = String(layer)
        for (key, text) in Self.rows(of: manifest)[name] ?? [:] { parts.metadata[key] = text }
    }

    // What a manifest says of files, by their names, which reading them does not need. The last is kept: each of thousands of
    // files asks for it.
    private static func rows(of path: String) -> [String: [String: String]] {
        guard let version = FileVersion(path: path) else { return [:] }
        return last.withLock { last in
            if last.version != version { last = (version, read(path)) }
            return last.rows
        }
    }

    private static let last = Mutex<(version: FileVersion?, rows: [String: [String: String]])>((nil, [:]))

    private static func read(_ path: String) -> [String: [String: String]] {
        guard let file = try? ByteSource(path: path), file.count <= longestManifest,
            case .object(let fields)? = try? JSONValue(file.bytes(0..<file.count)),
            case .array(let rows)? = fields["rows"]
        else { return [:] }
        var known: [String: [String: String]] = [:]
        for case .object(let row) in rows {
            guard case .string(let path)? = row["activations"] else { continue }
            let name = ZstdFile.nameUnpacked(path)
            guard known[name] == nil else { continue }
            known[name] = [:]
            for (key, column) in [("model", "model_name"), ("dataset", "dataset_path")] {
                if case .string(let text)? = row[column] { known[name]![key] = text }
            }
        }
        return known
    }
}

extension NamedParts {
    /// Adds the tensor that another file holds alone.
    fileprivate mutating func add(_ name: String, of other: TensorFile) throws(DataError) {
        guard let tensor = other.tensors["hidden_states"], other.tensors.names.count == 1 else {
            throw DataError(
                .missingTensor, other.path, expected: "a tensor alone, the \(name) of the activations",
                found: "\(other.tensors.names.count) tensors")
        }
        tensors[name] = TensorFile.Tensor(
            type: tensor.type, shape: tensor.shape, bytes: tensor.bytes, own: other.source(tensor))
    }
}
