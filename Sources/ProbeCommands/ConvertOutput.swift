import ArgumentParser
import AttentionProbes

/// Where and how `convert` writes: one file, or a folder of shards.
struct ConvertOutput: ParsableArguments {
    enum DataType: String, ExpressibleByArgument, CaseIterable {
        case f32, f16, bf16, f8
        var elementType: ElementType {
            switch self {
            case .f32: .f32
            case .f16: .f16
            case .bf16: .bf16
            case .f8: .f8E4M3
            }
        }
    }

    @Option(name: [.short, .long], help: "The file to write, or with --shard-size the folder.")
    var out: String
    @Option(
        help: """
            How to store hidden states; rounded to nearest, ties to even. f8 is E4M3 with a scale a token, its largest \
            magnitude / 448. (default: as they are)
            """)
    var dtype: DataType?
    @Option(help: "Size of the hidden states in one file at most, such as 2GB or 500MiB.")
    var shardSize: String?
    @Flag(
        help: """
            Keep the shards that an interrupted run of the same command left, where they hold what it would \
            write; of the tokens some are compared.
            """)
    var resume = false

    /// A file to write, and which sequences of the data go there.
    struct File {
        let path: String
        let range: Range<Int>
        /// Whether an earlier run has written it.
        let isKept: Bool
    }

    func validate() throws {
        guard shardSize == nil || shardBytes != nil else {
            throw ValidationError("--shard-size: expected a size such as 2GB or 500MiB, found \(shardSize!)")
        }
        guard !out.isEmpty, shardSize != nil || !out.hasSuffix("/") && !isFolder(out) else {
            throw ValidationError("--out: expected a file, or a folder with --shard-size, found \(out)")
        }
        guard shardSize != nil || ![".npy", ".npz"].contains(where: out.hasSuffix) else {
            throw ValidationError("--out: expected a name that ends in .safetensors, found \(out)")
        }
        guard shardSize != nil || !resume else {
            throw ValidationError("--resume: expected it only with --shard-size")
        }
    }

    var elementType: ElementType? { dtype?.elementType }

    /// The file or folder for all data, or for one part of them ("train").
    func path(part: String? = nil) -> String {
        let path = String(out.prefix(through: out.lastIndex { $0 != "/" } ?? out.startIndex))
        let base = path.hasSuffix(".safetensors") ? String(path.dropLast(12)) : path
        let hasNoEnding = shardSize != nil || part == nil && isPipe
        return base + (part.map { "-" + $0 } ?? "") + (hasNoEnding ? "" : ".safetensors")
    }

    // Something that is written in place, whatever it is called; /dev/stdout may be a file.
    private var isPipe: Bool {
        out.hasPrefix("/dev/")
            || FileIdentity(path: out) != nil && !isFolder(out)
                && FileIdentity(regularFile: out) == nil
    }

    private var shardBytes: Int? { shardSize.flatMap(byteCount) }

    /// The files for some data, and of shards the folder; nothing that is there is touched.
    ///
    /// - Throws: `ValidationError` where the folder holds other files, or without --resume any; `SystemError` where
    ///   nothing can be written; `DataError` where a shard that is there holds something else.
    func files(for data: ActivationSet, _ path: String) throws -> [File] {
        guard let shardBytes else {
            try OutputFile.check(path: path)
            return [File(path: path, range: data.indices, isKept: false)]
        }
        guard isFolder(path) || FileIdentity(path: path) == nil else {
            throw ValidationError("--out: expected a folder for --shard-size, found a file \(path)")
        }
        let ranges = data.shards(of: shardBytes, as: elementType)
        // Names that begin with a dot are not found in a folder.
        let last = path.split(separator: "/").last.map { String($0.drop { $0 == "." }) } ?? ""
        let name = last.isEmpty ? "activations" : last
        let names = ranges.indices.map {
            "\(name)-\(Self.inFiveDigits($0 + 1))-of-\(Self.inFiveDigits(ranges.count)).safetensors"
        }
        let existing = isFolder(path) ? (try? ActivationSet.files(path)) ?? [] : []
        let kept = Set(existing.compactMap { $0.split(separator: "/").last.map(String.init) })
        let others = kept.subtracting(names).sorted()
        guard existing.isEmpty || resume && others.isEmpty else {
            throw ValidationError(
                "--out: the folder \(path) holds \(counted(existing.count, "file")) already; "
                    + (others.isEmpty
                        ? "give --resume to keep what this command wrote, or choose another"
                        : resume ? "this command does not write \(few(others))" : "choose another"))
        }
        return try zip(names, ranges).map { name, range in
            let file = File(path: "\(path)/\(name)", range: range, isKept: kept.contains(name))
            if file.isKept { try check(file.path, holds: data.selecting(Array(range))) }
            return file
        }
    }

    private static func inFiveDigits(_ number: Int) -> String { String(number).padded(to: 5, with: "0") }

    // A shard takes its name when it is whole, so what differs is the command or its input, or the disk lost it.
    private func check(_ path: String, holds data: ActivationSet) throws {
        let way = "delete it, or choose another --out"
        do {
            guard try !data.isWritten(in: ActivationSet(paths: [path]), as: elementType) else { return }
        } catch let error as DataError {
            throw DataError(
                error.rule, error.path, error.place, expected: error.expected,
                found: "\(error.found); \(way)")
        }
        throw DataError(
            .mismatch, path, expected: "what this command writes there", found: "something else; \(way)")
    }
}
