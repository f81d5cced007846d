// Files that become shorter while they are in use. A mapped one would end the process where bytes are gone, so
// it is asked before every pass over its tokens; a small one has NaN there, so it is asked when a NaN is found, and
// when something else than numbers was read of it.
internal import Tensors

extension ActivationSet {
    /// Checks that the files of some sequences are as long as when they were opened.
    ///
    /// - Throws: `DataError` that names one that is shorter.
    func checkLengths(_ indices: some Sequence<Int>) throws(DataError) {
        var last: Int?
        for index in indices where locations[index].file != last {
            last = locations[index].file
            // Those that lose bytes quietly are asked when a NaN is found.
            guard files[locations[index].file].batch.tokens.isMapped else { continue }
            for file in files[locations[index].file].batch.tokens.files where file.isMapped {
                if let error = DataError(ifCut: file) { throw error }
            }
        }
    }

    /// Checks that all bytes of the files of some sequences were there whenever they were looked at. O(files).
    ///
    /// - Throws: `DataError` that names one of which they were not: texts, ids and the like that were read of it
    ///   may be wrong.
    func checkNothingLost(_ range: Range<Int>) throws(DataError) {
        var last: Int?
        for index in range where locations[index].file != last {
            last = locations[index].file
            for file in files[locations[index].file].batch.tokens.files where file.damage != nil {
                if let error = DataError(ifCut: file) { throw error }
            }
        }
    }

    /// Refuses a selection without sequences: nothing is learned of it, and no figure has a value.
    func checkNotEmpty() throws(DataError) {
        guard count == 0 else { return }
        throw DataError(.shape, files[0].path, expected: "at least one sequence", found: "none")
    }

    /// The error for a sequence whose file has become shorter; nil for others.
    func cutError(in index: Int) -> DataError? {
        files[locations[index].file].batch.tokens.files.lazy.compactMap(DataError.init(ifCut:)).first
    }
}

extension DataError {
    /// The error for a file that is shorter than when it was opened, or gone, or an archive that cannot be
    /// unpacked; nil for others.
    init?(ifCut file: MappedFile) {
        switch file.damage {
        case .damaged(let found):
            self.init(.truncated, file.path, expected: "an archive that can be unpacked", found: found)
            return
        case .noRoom(let error):
            self.init(
                .noRoom, file.path, expected: "room to unpack it in TMPDIR or /var/tmp", found: "\(error)")
            return
        case .cut, nil: break
        }
        let length = file.presentLength
        guard length != file.count else {
            guard file.damage != nil else { return nil }
            self.init(
                .truncated, file.path, expected: "\(file.count) bytes whenever they are read",
                found: "fewer: the file was cut, or its disk failed, while it was read")
            return
        }
        self.init(
            .truncated, file.path, expected: "\(file.count) bytes as when it was opened",
            found: length.map { "\($0): the file was cut while it was read" }
                ?? "another file or none: it was replaced or deleted while it was read")
    }
}
