import ArgumentParser
import AttentionProbes

/// Which paths of a command line are probes: the first, and those behind it that say so.
enum ProbePaths {
    /// Files of probes, those of them that are open, and paths of data; folders of probes are opened.
    static func split(
        _ paths: [String]
    ) throws -> (probes: [String], opened: [String: TensorFile], data: [String]) {
        var opened: [String: TensorFile] = [:]
        let areProbes = try paths.map { path in
            let file = probe(try ActivationSet.anyFile(path))
            if let file { opened[file.path] = file }
            return file != nil
        }
        let others = areProbes.dropFirst().prefix { $0 }
        let start = 1 + others.count
        guard start < paths.count else {
            throw ValidationError("expected probes and then activation files, found no activation files last")
        }
        if let late = areProbes[start...].firstIndex(of: true) {
            throw ValidationError("expected all probes before the data, found \(paths[late]) behind them")
        }
        let (probes, data) = (try paths[..<start].flatMap(ActivationSet.files), Array(paths[start...]))
        for (index, path) in probes.enumerated()
        where probes[..<index].contains(where: { isSameFile($0, path) }) {
            throw ValidationError("the probe \(path) is given twice")
        }
        return (probes, opened, data)
    }

    // A file that cannot be read is told apart later, with a better message.
    private static func probe(_ path: String) -> TensorFile? {
        guard let file = try? Safetensors.open(path: path) else { return nil }
        return file.metadata["format"] == Probe.fileFormat ? file : nil
    }

    /// What to call probes: their files' names without the ending; where two are the same, their paths.
    static func names(_ paths: [String]) -> [String] {
        let short = paths.map(stem)
        return zip(paths, short).map { path, name in
            short.count { $0 == name } == 1
                ? name : path.hasSuffix(".safetensors") ? String(path.dropLast(12)) : path
        }
    }
}
