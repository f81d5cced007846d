import Storage

// What the value of a pickle is to a file of tensors:
//
//     {"hidden_states": tensor, "labels": tensor or list, …}    tensors by name
//     [tensor, …]                                               hidden_states, one a sequence
//     ([tensor, …] or tensor, labels)                           hidden_states and labels
//     [(tensor, label), …]                                      the same in pairs
//     [{"hidden_states": tensor, "labels": 1}, …]               the same in dictionaries, a list for each name
//     tensor                                                    hidden_states
//
// A list of numbers is a tensor, and one of texts names (`NamedParts`). One text or number is metadata; what else stands in
// a dictionary is left out.
struct TorchContents {
    private let pickle: Pickle
    private let archive: TorchArchive
    private var parts = NamedParts()

    init(_ pickle: Pickle, _ archive: TorchArchive) { (self.pickle, self.archive) = (pickle, archive) }

    /// The file of what was added.
    var file: TensorFile { parts.file(archive.file, TorchFile.self) }

    /// Takes the value of the pickle.
    ///
    /// - Throws: `DataError` where it is none of these, or a tensor is not in the file.
    mutating func add(_ root: PickleValue) throws(DataError) {
        guard !pickle.tensors.isEmpty else { throw other("\(Self.kind(root)), without a tensor") }
        if let entries = pickle.entries(root) {
            for entry in entries { try add(entry.name, entry.value) }
        } else if case .tensor = root {
            try add("hidden_states", root)
        } else if let values = pickle.values(root), !values.isEmpty {
            try addList(values)
        } else {
            throw other("\(Self.kind(root)) and tensors that it does not hold")
        }
    }

    private func other(_ found: String) -> DataError {
        DataError(
            .missingTensor, archive.file.path, "data.pkl",
            expected: "a dictionary of tensors, a tensor, or a list of tensors L×D with or without labels",
            found: found + TorchFile.wayOut)
    }

    private mutating func addList(_ values: [PickleValue]) throws(DataError) {
        let tensors = tensors(values)
        if values.count == 2, let count = count(values[0]), isLabels(values[1], count) {
            try add("hidden_states", values[0])
            try add("labels", values[1])
        } else if tensors != nil {
            try add("hidden_states", values)
        } else if let pairs = columns(values.map { pickle.values($0) }) {
            guard pairs.count == 2 else { throw other("a list of lists of \(pairs.count)") }
            try add("hidden_states", pairs[0])
            try add("labels", pairs[1])
        } else if let first = pickle.entries(values[0]) {
            let rows = values.map { pickle.entries($0)?.map(\.value) }
            let names = first.map(\.name)
            guard let columns = columns(rows),
                values.allSatisfy({ pickle.entries($0).map { $0.map(\.name) == names } == true })
            else { throw other("a list of dictionaries with other names") }
            for (name, column) in zip(names, columns) { try add(name, column) }
        } else {
            throw other("a list of \(Self.kind(values[0]))")
        }
    }

    // Rows of one length turned into columns; nil for others.
    private func columns(_ rows: [[PickleValue]?]) -> [[PickleValue]]? {
        guard let width = rows[0]?.count, rows.allSatisfy({ $0?.count == width }) else { return nil }
        return (0..<width).map { column in rows.map { $0![column] } }
    }

    private func tensors(_ values: [PickleValue]) -> [TorchTensor]? {
        let tensors = values.compactMap { value -> TorchTensor? in
            if case .tensor(let index) = value { pickle.tensors[index] } else { nil }
        }
        return tensors.count == values.count ? tensors : nil
    }

    // How many sequences a list of tensors or a tensor of several dimensions may be.
    private func count(_ value: PickleValue) -> Int? {
        if case .tensor(let index) = value {
            return pickle.tensors[index].shape.count > 1 ? pickle.tensors[index].shape[0] : nil
        }
        return pickle.values(value).flatMap { tensors($0) == nil ? nil : $0.count }
    }

    private func isLabels(_ value: PickleValue, _ count: Int) -> Bool {
        if case .tensor(let index) = value { return pickle.tensors[index].shape == [count] }
        return pickle.values(value).map {
            $0.count == count && tensors($0)?.contains { !$0.shape.isEmpty } != true
        }
            ?? false
    }

    private mutating func add(_ name: String, _ value: PickleValue) throws(DataError) {
        switch value {
        case .tensor(let index): parts.tensors[name] = try place(index, name)
        case .list, .tuple: try add(name, pickle.values(value)!)
        case .text(let text): parts.metadata[name] = text
        case .integer(let number): parts.metadata[name] = String(number)
        case .number(let number): parts.metadata[name] = String(number)
        case .flag(let flag): parts.metadata[name] = String(flag)
        case .none, .dictionary, .storage, .name: break
        }
    }

    private func place(_ index: Int, _ name: String) throws(DataError) -> TensorFile.Tensor {
        let tensor = pickle.tensors[index]
        return try archive.elements(tensor, of: pickle.storages[tensor.storage], name).tensor
    }

    private mutating func add(_ name: String, _ values: [PickleValue]) throws(DataError) {
        guard !values.isEmpty else { return }
        if let tensors = tensors(values) {
            var placed: [TensorFile.Tensor] = []
            for (number, value) in values.enumerated() {
                guard case .tensor(let index) = value else { continue }
                placed.append(try place(index, "\(name)[\(number)]"))
            }
            // One number each.
            if tensors.allSatisfy({ $0.shape.isEmpty && $0.type == tensors[0].type }) {
                parts.tensors[name] = joined(placed)
            } else {
                parts.lists[name] = placed
            }
            return
        }
        let texts = values.compactMap { if case .text(let text) = $0 { text } else { nil } }
        if texts.count == values.count {
            parts.texts[name] = texts
        } else if let numbers = numbers(values) {
            parts.add(name, numbers, shape: [values.count])
        } else if let rows = columns(values.map { pickle.values($0) }), !rows.isEmpty,
            let numbers = numbers(values.flatMap { pickle.values($0)! })
        {
            parts.add(name, numbers, shape: [values.count, rows.count])
        }
    }

    // All of several numbers; nil where there is another value.
    private func numbers(_ values: [PickleValue]) -> [NamedParts.Number]? {
        let numbers = values.compactMap { value -> NamedParts.Number? in
            switch value {
            case .integer(let number): .whole(number)
            case .flag(let flag): .whole(flag ? 1 : 0)
            case .number(let number): .real(number)
            default: nil
            }
        }
        return numbers.count == values.count ? numbers : nil
    }

    private func joined(_ tensors: [TensorFile.Tensor]) -> TensorFile.Tensor {
        let bytes = tensors.flatMap { ($0.own ?? archive.file).bytes($0.bytes) }
        return TensorFile.Tensor(
            type: tensors[0].type, shape: [tensors.count], bytes: 0..<bytes.count,
            own: ByteSource(copying: bytes, name: archive.file.path))
    }

    private static func kind(_ value: PickleValue) -> String {
        switch value {
        case .none: "None"
        case .flag, .integer, .number: "a number"
        case .text: "a text"
        case .list, .tuple: "a list"
        case .dictionary: "a dictionary"
        case .storage: "a storage"
        case .tensor: "a tensor"
        case .name: "a name"
        }
    }
}
