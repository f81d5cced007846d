package import Storage

/// An open file of named tensors: its metadata, and where its tensors' bytes are. Nothing but headers is read when
/// it is opened, but for arrays of an archive.
package struct TensorFile: Sendable {
    /// A tensor's type, shape and bytes.
    package struct Tensor: Sendable, Equatable {
        /// The type's name in safetensors: "F32", "BF16", "I64", …
        package let type: String
        /// Sizes, outermost first; row-major.
        package let shape: [Int]
        /// Where its bytes are in the file.
        package let bytes: Range<Int>
    }

    /// The file's bytes.
    package let file: ByteSource
    /// What kind of file it is.
    package let container: any TensorContainer.Type
    /// The string metadata; empty if there is none.
    package let metadata: [String: String]
    /// The tensors by name.
    package let tensors: NamedValues<Tensor>

    /// The path it was opened with.
    package var path: String { file.path }

    /// What a container says of an open file.
    init(
        _ file: ByteSource, _ container: any TensorContainer.Type, metadata: [String: String] = [:],
        tensors: NamedValues<Tensor>
    ) {
        (self.file, self.container, self.metadata, self.tensors) = (file, container, metadata, tensors)
    }

    /// Opens a file of any kind: safetensors, .npy, whose array is called `hidden_states`, or .npz.
    ///
    /// - Throws: `SystemError` where it cannot be read; `DataError` where it breaks its format.
    package init(path: String) throws {
        let file = try ByteSource(path: path)
        self = try tensorContainer(of: file).open(file)
    }
}
