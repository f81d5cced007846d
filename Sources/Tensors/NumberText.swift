private import Glibc

extension Double {
    /// The number with so many decimals, as C's `%.*f`: to nearest, ties of the exact value to even; "inf", "-inf" and
    /// "nan" for what is not finite.
    ///
    /// - Parameter isSigned: whether a plus stands before what is not negative.
    package func fixed(_ decimals: Int, isSigned: Bool = false) -> String {
        text(isSigned ? "%+.*f" : "%.*f", decimals)
    }

    /// The number with so many significant digits at most and no zeros at its end, as C's `%.*g`: with an exponent below
    /// 1e-4 and from ten to the power of `digits` on.
    ///
    /// - Parameter isSigned: whether a plus stands before what is not negative.
    package func significant(_ digits: Int, isSigned: Bool = false) -> String {
        text(isSigned ? "%+.*g" : "%.*g", digits)
    }

    private func text(_ form: String, _ digits: Int) -> String {
        // The largest number has 309 digits before the point, beside a sign, a point and the end.
        let bytes = unsafe [CChar](unsafeUninitializedCapacity: 320 + digits) { buffer, count in
            unsafe count = Int(
                withVaList([Int32(digits), self]) {
                    unsafe vsnprintf(buffer.baseAddress, buffer.count, form, $0)
                })
        }
        return String(decoding: bytes.map { UInt8(truncatingIfNeeded: $0) }, as: UTF8.self)
    }
}
