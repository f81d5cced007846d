// In what the files of one set must agree.

extension ActivationFile {
    func checkWidth(_ other: ActivationFile) throws(DataError) {
        try check(other, "width", batch.width, other.batch.width) { "\($0)" }
    }

    func checkLabels(_ other: ActivationFile) throws(DataError) {
        try check(other, "classes", classes, other.classes) { $0?.joined(separator: ", ") ?? "none" }
        // Files of a soft-labelled set may happen to have certain labels alone.
        if classes?.count == 2, targets?.hardClasses != nil, other.targets?.hardClasses != nil { return }
        try check(other, "labels:", targets?.form, other.targets?.form) { $0 ?? "none" }
    }

    func checkPresence(
        _ other: ActivationFile, _ what: String, _ has: (ActivationFile) -> Bool
    ) throws(DataError) {
        guard has(other) != has(self) else { return }
        throw DataError(
            .mismatch, other.path, expected: "\(what) in all files or in none",
            found: "a file that differs from \(path)")
    }

    private func check<T: Equatable>(
        _ other: ActivationFile, _ what: String, _ own: T, _ others: T, _ text: (T) -> String
    ) throws(DataError) {
        guard own != others else { return }
        throw DataError(
            .mismatch, other.path, expected: "\(what) \(text(own)) as in \(path)", found: text(others))
    }
}
