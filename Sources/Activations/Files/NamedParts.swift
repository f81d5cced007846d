import Storage

/// Collects what a container holds under names: tensors and lists of them, and what becomes tensors, as lists of texts and
/// numbers do. Names that other tools give are those of activation files then.
struct NamedParts {
    /// A number of a list.
    enum Number {
        case whole(Int)
        case real(Double)
    }

    var tensors: [String: TensorFile.Tensor] = [:]
    var lists: [String: [TensorFile.Tensor]] = [:]
    var texts: [String: [String]] = [:]
    var metadata: [String: String] = [:]

    // What others call hidden states, and what stands beside them.
    private static let statesNames = ["hidden_state", "activations", "acts", "x", "X"]
    private static let usualNames = [
        "labels": ["y", "label"],
        "seq_lens": ["lengths", "seq_lengths"],
        "token_ids": ["input_ids"],
        "token_mask": ["loss_mask"],
        "sequence_ids": ["ids", "id"],
        "classes": ["class_names"],
        "hidden_states_scales": statesNames.map { $0 + "_scales" },
    ]

    /// Adds a list of numbers, whole ones as I64 and others as F64.
    mutating func add(_ name: String, _ numbers: [Number], shape: [Int]) {
        let areWhole = numbers.allSatisfy { if case .whole = $0 { true } else { false } }
        let bytes = numbers.flatMap { number -> [UInt8] in
            let bits =
                switch number {
                case .whole(let number):
                    areWhole ? UInt64(bitPattern: Int64(number)) : Double(number).bitPattern
                case .real(let number): number.bitPattern
                }
            return Self.bytes(bits)
        }
        tensors[name] = Self.held(areWhole ? "I64" : "F64", shape, bytes)
    }

    /// The file of all that was collected.
    func file(_ file: ByteSource, _ container: any TensorContainer.Type) -> TensorFile {
        var parts = self
        parts.rename(Self.statesNames, to: "hidden_states")
        if parts.has("hidden_states") {
            for (name, others) in Self.usualNames { parts.rename(others, to: name) }
        }
        parts.placeTexts()
        // Those of activation files have a meaning that no other file's have.
        for key in ["format", "version"] { parts.metadata[key] = nil }
        return TensorFile(
            file, container, metadata: parts.metadata, tensors: NamedValues(parts.tensors), lists: parts.lists
        )
    }

    private func has(_ name: String) -> Bool {
        tensors[name] != nil || lists[name] != nil || texts[name] != nil
    }

    /// The tensors of a file that names nothing as activation files do, under the names that these have.
    init(_ file: TensorFile) {
        tensors = Dictionary(uniqueKeysWithValues: file.tensors.elements.map { ($0.name, $0.value) })
        (lists, metadata) = (file.lists, file.metadata)
    }

    init() {}

    /// Adds what another file holds, which has no such names.
    mutating func add(_ other: TensorFile) {
        for (name, tensor) in other.tensors.elements {
            tensors[name] = TensorFile.Tensor(
                type: tensor.type, shape: tensor.shape, bytes: tensor.bytes, own: other.source(tensor))
        }
        metadata.merge(other.metadata) { $1 }
    }

    // Where nothing has the name and only one of these is there.
    private mutating func rename(_ others: [String], to name: String) {
        let found = others.filter(has)
        guard !has(name), found.count == 1 else { return }
        tensors[name] = tensors.removeValue(forKey: found[0])
        lists[name] = lists.removeValue(forKey: found[0])
        texts[name] = texts.removeValue(forKey: found[0])
    }

    // Texts are the names of classes, of the classes that sequences have, or of sequences; others are left out.
    private mutating func placeTexts() {
        if let classes = texts["classes"] { metadata["classes"] = JSONList.encode(classes) }
        if let labels = texts["labels"] {
            let classes =
                texts["classes"].flatMap { Set(labels).isSubset(of: $0) ? $0 : nil } ?? Set(labels).sorted()
            let places = Dictionary(classes.enumerated().map { ($1, $0) }) { first, _ in first }
            metadata["classes"] = JSONList.encode(classes)
            add("labels", labels.map { .whole(places[$0]!) }, shape: [labels.count])
        }
        if let ids = texts["sequence_ids"] {
            let offsets = ids.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.utf8.count) }
            let bytes = ids.flatMap(\.utf8)
            tensors["sequence_ids"] = Self.held("U8", [bytes.count], bytes)
            add("sequence_ids_offsets", offsets.map(Number.whole), shape: [offsets.count])
        }
    }

    private static func held(_ type: String, _ shape: [Int], _ bytes: [UInt8]) -> TensorFile.Tensor {
        TensorFile.Tensor(
            type: type, shape: shape, bytes: 0..<bytes.count,
            own: ByteSource(copying: bytes, name: "a list in memory"))
    }

    private static func bytes(_ bits: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: bits >> (8 * $0)) }
    }
}
