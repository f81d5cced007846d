import ArgumentParser
import AttentionProbes
import Foundation
import Tensors

/// Which paths of a command line are probes: the first, and those behind it that say so.
enum ProbePaths {
    /// Files of probes and paths of data; folders of probes are opened.
    static func split(_ paths: [String]) throws -> (probes: [String], data: [String]) {
        let areProbes = try paths.map { try isProbe(ActivationSet.anyFile($0)) }
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
        return (probes, data)
    }

    // A file that cannot be read is told apart later, with a better message.
    private static func isProbe(_ path: String) -> Bool {
        (try? Safetensors(path: path))?.metadata["format"] == Probe.fileFormat
    }

    /// What to call probes: their files' names without the ending; where two are the same, their paths.
    static func names(_ paths: [String]) -> [String] {
        let short = paths.map { URL(fileURLWithPath: $0).deletingPathExtension().lastPathComponent }
        return zip(paths, short).map { path, name in
            short.count { $0 == name } == 1
                ? name : path.hasSuffix(".safetensors") ? String(path.dropLast(12)) : path
        }
    }
}
