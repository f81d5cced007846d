// NaN and infinity in hidden states: found where a product turns out not finite, or by a look at
// all of them; named by file, sequence and token; never replaced.
private import Tensors

extension ActivationSet {
    /// The first NaN or infinity among the unmasked tokens of a sequence, as an error; nil if all
    /// are finite. O(L·D).
    package func nonFiniteError(in index: Int) -> DataError? {
        let sequence = self[index]
        var scratch: [Float] = []
        var error = cutError(in: index)
        for j in 0..<sequence.count where error == nil {
            sequence.withTokens(j..<j + 1, scratch: &scratch) { token in
                for d in token.indices where !token[d].isFinite {
                    let (path, place) = files[locations[index].file].place(ofDimension: d)
                    error = DataError(
                        .nonFinite, path,
                        "tensor hidden_states, \(name(index)), token \(sequence.position(j)), \(place)",
                        expected: "a finite number",
                        found: token[d].isNaN ? "nan" : "\(token[d])")
                    return
                }
            }
        }
        return error
    }

    /// The error for a set whose sums of squares are not finite.
    ///
    /// - Parameter type: what they are summed in.
    package func nonFiniteError(summedIn type: String = "float64") -> DataError {
        for index in indices {
            if let error = nonFiniteError(in: index) { return error }
        }
        return DataError(
            .overflow, files[0].path, "tensor hidden_states", expected: "finite sums of squares",
            found: "sums beyond the range of \(type)")
    }

    /// The error for a sequence of which `forward` threw `NonFiniteProjection`.
    package func projectionError(in index: Int) -> DataError {
        nonFiniteError(in: index)
            ?? DataError(
                .overflow, files[locations[index].file].path, name(index),
                expected: "finite products of hidden states and the probe's weights",
                found: "products beyond the range of float32")
    }

    /// Which sequences have only finite unmasked tokens. O(T·D).
    public func finiteSequences(threads: Int) throws -> [Int] {
        try checkLengths(indices)
        let finite = try Parallel.map(count: count, threads: threads, workspace: { [Float]() }) {
            index, scratch in
            self[index].isFinite(scratch: &scratch)
        }
        // What is no number because the file was cut is no sequence to leave out.
        for index in indices where !finite[index] {
            if let error = cutError(in: index) { throw error }
        }
        return finite.indices.filter { finite[$0] }
    }

    package func name(_ index: Int) -> String {
        let location = locations[index]
        let id = files[location.file].id(location.sequence)
        return "sequence \(location.sequence)" + (id.map { " (\($0))" } ?? "")
    }
}
