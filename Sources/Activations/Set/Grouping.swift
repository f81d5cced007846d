// Groups that the user declares: by a tensor of the files, or by a pattern of sequence ids.

extension ActivationSet {
    /// Whether every file is in safetensors and has a tensor of this name.
    package func hasTensor(_ name: String) -> Bool {
        files.allSatisfy { $0.safetensors?.tensors[name] != nil }
    }

    /// Names of the tensors that all files have with a whole number a sequence (of shape N): those that
    /// can be groups.
    package var integerTensors: [String] {
        let names = files.map { file -> Set<String> in
            let tensors = file.safetensors?.tensors ?? [:]
            return Set(
                tensors.elements.filter {
                    TensorFile.integerTypes.contains($0.value.type) && $0.value.shape == [file.batch.count]
                }.map(\.name))
        }
        return names.dropFirst().reduce(names[0]) { $0.intersection($1) }.sorted()
    }

    /// The same sequences in groups read from a tensor of every file, whole numbers of shape N.
    ///
    /// - Throws: `SystemError` or `DataError` where a file has no such tensor.
    public func grouped(byTensor name: String) throws -> ActivationSet {
        grouped(try integers(ofTensor: name))
    }

    /// The number that each sequence has in a tensor of every file, whole numbers of shape N.
    ///
    /// - Throws: `SystemError` or `DataError` where a file has no such tensor.
    package func integers(ofTensor name: String) throws -> [Int] {
        let columns = try files.map { file -> [Int] in
            // Of what is no safetensors the error says so.
            let source = try file.safetensors ?? Safetensors.open(path: file.path)
            let groups = source.integers(
                try source.require(name, types: TensorFile.integerTypes, shape: [file.batch.count]))
            if let error = DataError(ifCut: source.file) { throw error }
            return groups
        }
        return locations.map { columns[$0.file][$0.sequence] }
    }

    /// The same sequences in groups of equal ids: of what the pattern's first pair of parentheses
    /// matches in an id, or without any, of the whole match.
    ///
    /// - Throws: `DataError` where an id does not match.
    public func grouped(byID pattern: Regex<AnyRegexOutput>) throws(DataError) -> ActivationSet {
        var numbers: [String: Int] = [:]
        return grouped(
            try groupNames(byID: pattern).map { name in
                numbers[name] = numbers[name] ?? numbers.count
                return numbers[name]!
            })
    }

    /// Of each sequence what the pattern's first pair of parentheses matches in its id, or without any, the whole match.
    ///
    /// - Throws: `DataError` where an id does not match.
    package func groupNames(byID pattern: Regex<AnyRegexOutput>) throws(DataError) -> [String] {
        var names: [String] = []
        for index in indices {
            let id = id(index)
            guard let match = try? pattern.firstMatch(in: id)?.output else {
                throw DataError(
                    .mismatch, files[locations[index].file].path, "sequence \(locations[index].sequence)",
                    expected: "an id that the pattern of groups matches", found: id)
            }
            names.append(String((match.count > 1 ? match[1].substring : nil) ?? match[0].substring ?? ""))
        }
        return names
    }
}
