/// The number that a size of memory or files stands for, "2GB", "500MiB" or "1000000"; nil for other text, and for
/// less than one byte.
func byteCount(_ text: String) -> Int? {
    let units = [
        "": 1, "B": 1, "KB": 1000, "MB": 1_000_000, "GB": 1_000_000_000, "TB": 1_000_000_000_000,
        "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40, "KIB": 1 << 10, "MIB": 1 << 20,
        "GIB": 1 << 30, "TIB": 1 << 40,
    ]
    let digits = text.prefix { $0.isNumber || $0 == "." }
    let unit = String(text.dropFirst(digits.count)).trimmed.uppercased()
    guard let number = Double(digits), let factor = units[unit] else { return nil }
    let size = number * Double(factor)
    return (1...1e18).contains(size) ? Int(size) : nil
}
