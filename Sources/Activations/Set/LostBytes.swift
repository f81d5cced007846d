// Files that become shorter while they are in use. A mapped one would end the process where bytes are gone, so
// it is asked before every pass over its tokens; a small one has NaN there, so it is asked when a NaN is found, and
// when something else than numbers was read of it.
internal import Tensors

extension ActivationSet {
    /// Checks that the files of some sequences are as long as when they were opened.
    ///
    /// - Throws: `DataError` that names one that is shorter.
    package func checkLengths(_ indices: some Sequence<Int>) throws(DataError) {
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
    package func checkNothingLost(_ range: Range<Int>) throws(DataError) {
        var last: Int?
        for index in range where locations[index].file != last {
            last = locations[index].file
            for file in files[locations[index].file].batch.tokens.files where file.damage != nil {
                if let error = DataError(ifCut: file) { throw error }
            }
        }
    }

    /// Refuses a selection without sequences: nothing is learned of it, and no metric has a value.
    package func checkNotEmpty() throws(DataError) {
        guard count == 0 else { return }
        throw DataError(.shape, files[0].path, expected: "at least one sequence", found: "none")
    }

    /// The error for a sequence whose file has become shorter; nil for others.
    func cutError(in index: Int) -> DataError? {
        files[locations[index].file].batch.tokens.files.lazy.compactMap(DataError.init(ifCut:)).first
    }
}
