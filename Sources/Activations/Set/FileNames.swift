// The names of a set's files, without their folders: what a probe's file says it was trained on (`data` in its metadata),
// and what figures say they were taken on.

extension ActivationSet {
    /// The last part of each file's path.
    package var fileNames: [String] {
        files.map { $0.path.split(separator: "/").last.map(String.init) ?? $0.path }
    }

    /// All of them, or of many the first: "a.safetensors, b.safetensors, … and 9998 more".
    package var fileRecord: String {
        let (names, most) = (fileNames, 8)
        guard names.count > most else { return names.joined(separator: ", ") }
        return names.prefix(3).joined(separator: ", ") + ", … and \(names.count - 3) more"
    }
}
