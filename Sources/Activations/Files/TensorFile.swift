package import Storage

/// An open file of named tensors: its metadata, and where its tensors' bytes are. Nothing but headers is read when
/// it is opened, but for arrays of an archive.
package struct TensorFile: Sendable {
    /// A tensor's type, shape and bytes.
    package struct Tensor: Sendable {
        /// The type's name in safetensors: "F32", "BF16", "I64", …
        package let type: String
        /// Sizes, outermost first; row-major.
        package let shape: [Int]
        /// Where its bytes are in the file.
        package let bytes: Range<Int>
        /// What holds the bytes where that is not the file: memory, or numbers that are stored in another way.
        let own: ByteSource?

        /// A tensor whose bytes lie in the file, or in `own`.
        init(type: String, shape: [Int], bytes: Range<Int>, own: ByteSource? = nil) {
            (self.type, self.shape, self.bytes, self.own) = (type, shape, bytes, own)
        }
    }

    /// The file's bytes.
    package let file: ByteSource
    /// What kind of file it is.
    package let container: any TensorContainer.Type
    /// The string metadata; empty if there is none.
    package let metadata: [String: String]
    /// The tensors by name.
    package let tensors: NamedValues<Tensor>
    /// Lists of tensors by name, as a file of PyTorch's may hold one a sequence.
    package let lists: [String: [Tensor]]

    /// The path it was opened with.
    package var path: String { file.path }

    /// What a container says of an open file.
    init(
        _ file: ByteSource, _ container: any TensorContainer.Type, metadata: [String: String] = [:],
        tensors: NamedValues<Tensor>, lists: [String: [Tensor]] = [:]
    ) {
        (self.file, self.container, self.metadata, self.tensors) = (file, container, metadata, tensors)
        self.lists = lists
    }

    /// What holds a tensor's bytes.
    func source(_ tensor: Tensor) -> ByteSource { tensor.own ?? file }

    /// Opens a file of any kind: safetensors, .npy, whose array is called `hidden_states`, .npz, or what torch.save
    /// writes; also one of these, but for .npz, that zstd has packed.
    ///
    /// - Throws: `SystemError` where it cannot be read; `DataError` where it breaks its format.
    package init(path: String) throws {
        let opened = try Self.opened(ByteSource(path: path))
        // What says nothing of its format may name its tensors as other tools do.
        let isNamed = opened.tensors["hidden_states"] != nil || !opened.lists.isEmpty
        self =
            isNamed || !opened.metadata.isEmpty
            ? opened : NamedParts(opened).file(opened.file, opened.container)
    }

    /// An open file as its container has it, unpacked where zstd has packed it.
    ///
    /// - Throws: `DataError` where it breaks its format.
    static func opened(_ file: ByteSource) throws(DataError) -> TensorFile {
        guard ZstdFile.recognises(file) else { return try tensorContainer(of: file).open(file) }
        let unpacked = try file.unpacked()
        let container = tensorContainer(of: unpacked)
        // Which libzip reads by its path.
        guard container != NumPyArchive.self else {
            throw DataError(
                .array, file.path, expected: "an .npz as NumPy writes it (zstd -d unpacks it)",
                found: "one that zstd has packed")
        }
        return try container.open(unpacked)
    }

    /// Opens a file, with what others beside it hold of its sequences.
    ///
    /// - Throws: `SystemError` where one cannot be read; `DataError` where one breaks its format.
    init(_ input: InputFile) throws {
        let opened = try TensorFile(path: input.path)
        guard input.labels != nil || input.store != nil else {
            self = opened
            return
        }
        var parts = NamedParts(opened)
        if let labels = input.labels {
            try parts.add(NumPyArray.open(ByteSource(path: labels), as: "labels"))
        }
        try input.store?.add(to: &parts)
        self = parts.file(opened.file, opened.container)
    }
}

extension ByteSource {
    // What zstd has packed.
    fileprivate func unpacked() throws(DataError) -> ByteSource {
        do {
            return try ZstdFile.unpacked(self)
        } catch {
            switch error {
            case .damaged(let reason, let place):
                throw DataError(
                    .truncated, path, "byte \(place)", expected: "a file that zstd has packed", found: reason)
            case .tooLarge(let most):
                throw DataError(
                    .array, path, expected: "at most \(most) bytes when it is unpacked",
                    found: "more (zstd -d unpacks it)")
            case .noRoom(let error):
                throw DataError(
                    .noRoom, path, expected: "room to unpack it in TMPDIR or /var/tmp", found: "\(error)")
            }
        }
    }
}
