// What llama.cpp's `llama-debug --embedding --save-logits` writes of a prompt (examples/debug/debug.cpp in
// ggml-org/llama.cpp): `llamacpp-MODEL-embeddings.bin`, the numbers as float32 and nothing else, and beside it
// `llamacpp-MODEL-embeddings-tokens.bin`, the ids of the T tokens as int32; both in the machine's byte order, here
// little-endian. Neither has a mark or says how wide a vector is: they are known by their names. What the numbers are,
// `LlamaEmbeddingsReader` asks.
import Storage

enum LlamaEmbeddings: TensorContainer {
    static let endings = ["-embeddings.bin"]
    static let marks: [[UInt8]] = []

    // The file of ids to that of numbers.
    private static func tokens(_ path: String) -> String? {
        let (bytes, ending) = (Array(path.utf8), Array(endings[0].utf8))
        guard bytes.count >= ending.count, bytes.suffix(ending.count) == ending[...] else { return nil }
        let tokens = String(decoding: bytes.dropLast(".bin".utf8.count), as: UTF8.self) + "-tokens.bin"
        return FileIdentity(regularFile: tokens) == nil ? nil : tokens
    }

    static func recognises(_ file: ByteSource) -> Bool { tokens(file.path) != nil }

    static func open(_ file: ByteSource) throws(DataError) -> TensorFile {
        func tensor(_ type: String, _ source: ByteSource) throws(DataError) -> TensorFile.Tensor {
            let size = Safetensors.elementSizes[type]!
            guard source.count > 0, source.count % size == 0 else {
                throw DataError(
                    .truncated, source.path, expected: "numbers of \(size) bytes, one at least",
                    found: "\(source.count) bytes")
            }
            return TensorFile.Tensor(
                type: type, shape: [source.count / size], bytes: 0..<source.count, own: source)
        }
        let ids: ByteSource
        do {
            ids = try ByteSource(path: tokens(file.path) ?? file.path)
        } catch {
            throw DataError(
                .missingTensor, file.path, expected: "a file of token ids beside it", found: "\(error)")
        }
        return TensorFile(
            file, self,
            tensors: NamedValues([
                LlamaEmbeddingsReader.embeddings: try tensor("F32", file),
                LlamaEmbeddingsReader.tokens: try tensor("I32", ids),
            ]))
    }
}
