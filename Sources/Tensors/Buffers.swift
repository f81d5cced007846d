extension [Float] {
    /// Makes room for at least `count` elements, of which none keeps its value if it must grow.
    package mutating func grow(to count: Int) {
        if self.count < count { self = Array(repeating: 0, count: count) }
    }

    /// Gives it `count` elements, in the memory it has if that suffices; which values they have means nothing.
    package mutating func resize(to count: Int) {
        if self.count > count { removeLast(self.count - count) }
        append(contentsOf: repeatElement(0, count: count - self.count))
    }

    /// Gives it `count` elements of one value, in the memory it has if that suffices.
    package mutating func reset(to value: Float = 0, count: Int) {
        resize(to: count)
        unsafe withUnsafeMutableBufferPointer { unsafe $0.update(repeating: value) }
    }

    /// Gives it the elements of another array, in the memory it has if that suffices.
    package mutating func reset(to other: ArraySlice<Float>) {
        removeAll(keepingCapacity: true)
        append(contentsOf: other)
    }

    /// Gives the elements from `start` on the values of another array.
    ///
    /// - Precondition: there are that many.
    package mutating func replace(at start: Int, with other: ArraySlice<Float>) {
        withPart(start..<start + other.count) { part in
            for (i, value) in other.enumerated() { part[i] = value }
        }
    }

    /// The first element, of less than 16, that begins a line of the cache: a vector that crosses two lines takes two
    /// loads. Another array has another, also a copy.
    package var firstInLine: Int {
        unsafe withUnsafeBufferPointer { -(Int(bitPattern: $0.baseAddress) / 4) & 15 }
    }

    /// Lends a part for writing. O(1).
    ///
    /// - Precondition: the range lies inside the array.
    package mutating func withPart<R>(_ range: Range<Int>, _ body: (inout MutableSpan<Float>) -> R) -> R {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "part \(range) of \(count) elements")
        return unsafe withUnsafeMutableBufferPointer { buffer in
            var part = unsafe MutableSpan(_unsafeElements: buffer[range])
            return body(&part)
        }
    }
}

extension MutableSpan<Float> {
    /// Gives the elements from `start` on the values of an array.
    ///
    /// - Precondition: there are that many.
    package mutating func replace(at start: Int, with other: ArraySlice<Float>) {
        precondition(start >= 0 && start + other.count <= count, "elements beyond the span")
        for (i, value) in other.enumerated() { self[start + i] = value }
    }
}
