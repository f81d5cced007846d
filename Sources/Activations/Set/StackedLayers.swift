// Layers that stand side by side in hidden states, each looked at alone or some together, in place.
internal import Tensors

extension LayerRecord {
    /// Each of them alone.
    package var each: [LayerRecord] { numbers.map { LayerRecord([$0], areAsStored: areAsStored) } }

    /// Those of several records, each once, in the order of their numbers or, where all are the same, in theirs; nil where
    /// there is none, or some are counted as they are stored and some as the model has them.
    package static func union(_ records: [LayerRecord]) -> LayerRecord? {
        guard let first = records.first, records.allSatisfy({ $0.areAsStored == first.areAsStored }) else {
            return nil
        }
        if records.allSatisfy({ $0 == first }) { return first }
        return LayerRecord(Set(records.flatMap(\.numbers)).sorted(), areAsStored: first.areAsStored)
    }

    /// The columns of others in states `width` wide of these layers, which are equally wide; nil where one is not among
    /// them.
    package func columns(of others: LayerRecord, width: Int) -> [Range<Int>]? {
        guard others.areAsStored == areAsStored, width % numbers.count == 0 else { return nil }
        let own = width / numbers.count
        let places = others.numbers.compactMap(numbers.firstIndex)
        guard places.count == others.numbers.count else { return nil }
        return places.map { $0 * own..<($0 + 1) * own }
    }
}

extension ActivationFile {
    /// The same sequences with some of the layers that stand side by side in their states.
    fileprivate convenience init(_ whole: ActivationFile, _ columns: [Range<Int>], _ layers: LayerRecord?) {
        self.init(
            whole, tokens: whole.batch.tokens.columns(columns), layers: layers,
            parts: StatePart.taking(columns, of: whole.parts))
    }
}

extension ActivationSet {
    /// The same sequences with some of the layers that stand side by side in their states, in place; nil where one is
    /// not among them, or nothing is known of layers. O(files).
    package func taking(_ others: LayerRecord) -> ActivationSet? {
        guard let columns = layers?.columns(of: others, width: width) else { return nil }
        return taking(columns: columns, others)
    }

    /// The same sequences with some columns of their states, in place. O(files).
    ///
    /// - Parameter layers: which layers these are; nil where that is not known.
    /// - Precondition: the columns are there.
    package func taking(columns: [Range<Int>], _ layers: LayerRecord? = nil) -> ActivationSet {
        if columns == [0..<width] { return self }
        return ActivationSet(self, files: files.map { ActivationFile($0, columns, layers) })
    }

    /// The layers that stand side by side in the states of these sequences, each alone.
    ///
    /// - Throws: `DataError` where there is one alone, or they are not equally wide.
    package func eachLayer() throws(DataError) -> [LayerRecord] {
        let numbers = layers?.numbers ?? []
        for parts in files.map(\.parts) where parts.count == numbers.count {
            guard let other = parts.firstIndex(where: { $0.columns != parts[0].columns }) else { continue }
            throw DataError(
                .layers, parts[other].path, "layer \(numbers[other])",
                expected: "width \(parts[0].columns) as of layer \(numbers[0])",
                found: "\(parts[other].columns)")
        }
        guard let layers, numbers.count > 1, width % numbers.count == 0 else {
            throw DataError(
                .layers, files[0].path, expected: "several layers, side by side",
                found: layers?.description ?? "states of one layer, or of layers without numbers")
        }
        return layers.each
    }

    /// The numbers of all layers that files and folders of them hold: of files that hold several from 0 on, of files of
    /// one layer each those in their metadata, rising.
    ///
    /// - Throws: `SystemError` where one cannot be read; `DataError` where one breaks a rule, or does not say its layer.
    package static func layerNumbers(
        _ paths: [String], skips: Skips = [], readers: [any ActivationReader] = activationReaders
    ) throws -> [Int] {
        let (opened, _) = try OpenedFile.open(paths, skips: skips, readers: readers)
        var numbers: Set<Int> = []
        for opened in opened {
            let file: ActivationFile
            do {
                file = try opened.file
            } catch  where skips.contains(.badFiles) && opened.bad(error) != nil {
                continue
            }
            if file.form.holdsSeveralLayers { return Array(0..<file.layerCount) }
            guard let own = file.layers else {
                throw DataError(
                    .layers, file.path, "metadata layer",
                    expected: "the number of the layer that the file holds",
                    found: file.metadata["layer"] ?? "nothing")
            }
            numbers.formUnion(own.numbers)
        }
        return numbers.sorted()
    }
}
