// The names of a set's files, without their folders: what a probe's file says it was trained on (`data` in its metadata),
// and what metrics say they were taken on.

extension ActivationSet {
    /// The last part of each file's path.
    package var fileNames: [String] {
        files.flatMap(\.parts).map { $0.path.split(separator: "/").last.map(String.init) ?? $0.path }
    }

    /// All of them, or of many the first three and "… and 9997 more".
    package var fileRecord: [String] {
        let names = fileNames
        return names.count > 8 ? names.prefix(3) + ["… and \(names.count - 3) more"] : names
    }
}
