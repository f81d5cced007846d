// A folder that probelab writes (`memmap_v1`): bfloat16 states of each layer T×D in `layer_6.bin` and so on, `offsets.bin`
// (I64, N+1), `detection_mask.bin` (U8, T; 0 hides), and `meta.json`, which says the sizes and the numbers of the layers.
import Storage

enum MemmapFolder: TensorContainer {
    static let endings = ["memmap_v1"]
    static let marks: [[UInt8]] = []

    private static let description = "meta.json"
    private static let longestDescription = 1 << 24

    /// The file that describes such a folder, if it is one.
    static func description(_ folder: String) -> String? {
        let path = folder + (folder.utf8.last == UInt8(ascii: "/") ? "" : "/") + description
        return FileIdentity(regularFile: path) == nil ? nil : path
    }

    static func recognises(_ file: ByteSource) -> Bool {
        file.path.split(separator: "/").last.map { $0 == description } ?? false
    }

    static func open(_ file: ByteSource) throws(DataError) -> TensorFile {
        func fault(_ expected: String, _ found: String) -> DataError {
            DataError(.metadata, file.path, expected: expected, found: found)
        }
        guard file.count <= longestDescription,
            case .object(let fields)? = try? JSONValue(file.bytes(0..<file.count)),
            case .string("memmap_v1")? = fields["format"]
        else { throw fault("a description of a folder with format memmap_v1", "another file") }
        func number(_ value: JSONValue?) -> Int? {
            guard case .number(let text)? = value, let number = Int(text), number >= 0 else { return nil }
            return number
        }
        guard let tokens = number(fields["total_tokens"]), let width = number(fields["hidden_dim"]),
            let count = number(fields["n_samples"]), case .array(let layers)? = fields["layers"],
            count < .max
        else { throw fault("total_tokens, hidden_dim, n_samples and layers", "others") }
        let folder = String(file.path.dropLast(description.count))
        var tensors: [String: TensorFile.Tensor] = [:]
        func add(_ name: String, _ path: String, _ type: String, _ shape: [Int]) throws(DataError) {
            let own: ByteSource
            do {
                own = try ByteSource(path: folder + path)
            } catch {
                throw fault("a file \(path) beside it", "\(error)")
            }
            guard let size = Safetensors.byteCount(shape, Safetensors.elementSizes[type]!), size == own.count
            else {
                throw DataError(
                    .truncated, own.path, expected: "the bytes of \(type) \(shape)",
                    found: "\(own.count) bytes")
            }
            tensors[name] = TensorFile.Tensor(type: type, shape: shape, bytes: 0..<size, own: own)
        }
        try add("offsets", "offsets.bin", "I64", [count + 1])
        try add("token_mask", "detection_mask.bin", "U8", [tokens])
        for layer in layers {
            guard let layer = number(layer) else { throw fault("layers that are numbers", "another") }
            try add("layer_\(layer)", "layer_\(layer).bin", "BF16", [tokens, width])
        }
        return TensorFile(file, self, tensors: NamedValues(tensors))
    }
}
