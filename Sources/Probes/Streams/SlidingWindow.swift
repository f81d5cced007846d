/// The last w scores of a stream, score j at place j mod w of its state.
struct SlidingWindow {
    /// w.
    let count: Int

    func begin(_ state: inout MutableSpan<Double>, at start: Int) {
        for i in 0..<count { state[start + i] = 0 }
    }

    /// Takes a score after `seen` others.
    ///
    /// - Returns: the sum of the last w, of all where there are fewer. It is added up anew from the oldest on, as over a
    ///   whole sequence: a running sum would carry its rounding errors along.
    func add(_ z: Float, _ state: inout MutableSpan<Double>, at start: Int, seen: Int) -> Double {
        state[start + seen % count] = Double(z)
        guard seen + 1 >= count else { return sum(state.span, start..<start + seen + 1) }
        let oldest = start + (seen + 1) % count
        return sum(state.span, start..<oldest, after: sum(state.span, oldest..<start + count))
    }

    private func sum(_ state: Span<Double>, _ range: Range<Int>, after first: Double = 0) -> Double {
        var sum = first
        for i in range { sum += state[i] }
        return sum
    }
}
