// The names of a set's files, without their folders: what a probe's file says it was trained on (`data` in its metadata),
// and what metrics say they were taken on.

extension ActivationSet {
    /// The last part of each file's path: of several layers in one file once.
    package var fileNames: [String] {
        let paths = files.flatMap { file in
            file.parts.reduce(into: [String]()) { if $0.last != $1.path { $0.append($1.path) } }
        }
        return paths.map { $0.split(separator: "/").last.map(String.init) ?? $0 }
    }

    /// All of them, or of many the first three and "… and 9997 more".
    package var fileRecord: [String] {
        let names = fileNames
        return names.count > 8 ? names.prefix(3) + ["… and \(names.count - 3) more"] : names
    }
}
