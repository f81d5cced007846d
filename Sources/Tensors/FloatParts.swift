package import Storage

extension OutputParts {
    /// Writes floats at a place, counted in bytes from the first of all.
    package func write(_ floats: [Float], at place: Int) throws(SystemError) {
        unsafe try write(floats.span.bytes, at: place)
    }
}
