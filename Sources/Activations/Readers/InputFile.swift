import Storage

/// A file of activations to open: named by itself, or found in a folder.
struct InputFile: Sendable {
    let path: String
    /// Whether there is a file PATH.lock beside it; nil where nobody has looked.
    let hasLock: Bool?
    /// A file of NumPy's beside it with the labels of its rows; nil for none.
    var labels: String?
    /// What else a store of activations has of its sequences; nil for none.
    let store: ActivationStore?

    init(path: String, hasLock: Bool?, labels: String? = nil) {
        (self.path, self.hasLock, self.labels) = (path, hasLock, labels)
        store = ActivationStore(of: path)
    }

    // What a file of labels is called: for X.npy X-y.npy, X_labels.npy and so on.
    private static let labelEndings = ["-y.npy", "_y.npy", "-labels.npy", "_labels.npy"]
    private static let arrayEnding = ".npy"

    private static let lockEnding = ".lock"

    /// The file at a path, or if that is a folder its files of tensors in the order of names, but for those that hold the
    /// labels of others.
    ///
    /// - Throws: `MissingInput` for a folder without any; `SystemError` for one that cannot be listed.
    static func all(_ path: String) throws -> [InputFile] {
        guard isFolder(path) else { return [named(path)] }
        if let description = MemmapFolder.description(path) {
            return [InputFile(path: description, hasLock: nil)]
        }
        let path = ActivationStore.activations(path) ?? path
        let names = try names(inFolder: path)
        let known = Set(names)
        // What is there unpacked too is read so.
        var files = names.filter { name in
            let plain = ZstdFile.nameUnpacked(name)
            return isData(name) && (plain == name || !known.contains(plain))
        }
        var labelFiles: [String: String] = [:]
        for name in files { labelFiles[name] = labels(of: name, known.contains) }
        if !labelFiles.isEmpty {
            let taken = Set(labelFiles.values)
            files.removeAll(where: taken.contains)
        }
        guard !files.isEmpty else {
            throw nothing(in: path)
        }
        let locks = Set(names.filter { ends($0, lockEnding) })
        let start = start(path)
        return files.map { name in
            InputFile(
                path: start + name, hasLock: !locks.isEmpty && locks.contains(name + lockEnding),
                labels: labelFiles[name].map { start + $0 })
        }
    }

    /// The file at a path.
    static func named(_ path: String) -> InputFile {
        InputFile(
            path: path, hasLock: nil, labels: labels(of: path) { FileIdentity(regularFile: $0) != nil })
    }

    private static func labels(of name: String, _ isThere: (String) -> Bool) -> String? {
        guard ends(name, arrayEnding) else { return nil }
        let start = String(decoding: name.utf8.dropLast(arrayEnding.utf8.count), as: UTF8.self)
        return labelEndings.lazy.map { start + $0 }.first(where: isThere)
    }

    /// The same, but of a folder only one file, the first by name, so that what is taken for it does not depend on the order
    /// in which a disk lists names.
    static func any(_ path: String) throws -> InputFile {
        guard isFolder(path) else { return named(path) }
        if let description = MemmapFolder.description(path) {
            return InputFile(path: description, hasLock: nil)
        }
        let path = ActivationStore.activations(path) ?? path
        let start = start(path)
        guard let name = try names(inFolder: path).first(where: { isData($0) && !isFolder(start + $0) })
        else {
            throw nothing(in: path)
        }
        return InputFile(path: start + name, hasLock: nil)
    }

    private static func isData(_ name: String) -> Bool {
        let name = ZstdFile.nameUnpacked(name)
        return tensorContainers.contains { $0.endings.contains { ends(name, $0) } }
    }

    // By bytes: the mark may be part of a character, which `hasSuffix` goes by.
    private static func ends(_ name: String, _ ending: String) -> Bool {
        let (name, ending) = (name.utf8.span, ending.utf8.span)
        let start = name.count - ending.count
        return start >= 0 && ending.indices.allSatisfy { name[start + $0] == ending[$0] }
    }

    // What paths of a folder's files begin with.
    private static func start(_ folder: String) -> String {
        folder.utf8.last == UInt8(ascii: "/") ? folder : folder + "/"
    }

    private static func nothing(in folder: String) -> MissingInput {
        let inner = try? firstName(inFolder: folder) { isFolder(start(folder) + $0) }
        let rest = inner.map { ", not only folders such as \($0)" } ?? ""
        let names = tensorContainers.flatMap { $0.endings.filter { $0.first == "." }.map { "*" + $0 } }
            .formatted
        return MissingInput(path: folder, what: "files named \(names)" + rest)
    }

    /// Whether a running server holds a lock on PATH.lock.
    var isLocked: Bool { hasLock != false && Storage.isLocked(path + Self.lockEnding) }
}

extension ActivationSet {
    /// The path itself, or if it is a folder the paths of its `.safetensors`, `.npy`, `.npz`, `.pt` and `.pth` files
    /// in the order of names, also of those that zstd has packed (`.pt.zst`).
    ///
    /// - Throws: `MissingInput` for a folder without any; `SystemError` for one that cannot be listed.
    package static func files(_ path: String) throws -> [String] { try InputFile.all(path).map(\.path) }

    /// The path itself, or if it is a folder that of the first of those files by name.
    ///
    /// - Throws: `MissingInput` for a folder without any; `SystemError` for one that cannot be listed.
    package static func anyFile(_ path: String) throws -> String { try InputFile.any(path).path }
}
