// Trials that have ended, a line each, so that an interrupted selection goes on where it was:
//
//     {"data": "FINGERPRINT", "folds": 5, "seed": 0}
//     {"key": "…", "result": {"logits": […], "seconds": 1.2, "converged": true}}
//     {"key": "…", "probe": "…"}
//     {"key": "…", "outputs": [[…], …]}
//
// The fingerprint is of the data and the folds; the key of a line is the candidate with all its options,
// the fold and the replicate. What is trained on all sequences is kept as a probe file in base64, and what a control says
// of other sequences as its outputs, of each set N×O. Selections among other candidates use what they share, and leave the rest.
// A file of other data, folds or another seed is refused, so that no run takes away what another kept, and so
// is one with a line that no training leaves. A line that was cut off at the end is written anew.
private import FoundationEssentials
private import Synchronization
private import Tensors
import Activations
import Probes
import Storage

/// The trials of a selection that have ended, in memory and, if it has a path, in a file.
final class SelectionJournal: Sendable {
    /// What all trials of a file have in common.
    struct Fingerprint: Codable, Equatable {
        let data: String
        let folds: Int
        let seed: UInt64
    }
    private struct Line: Codable {
        let key: String
        var result: TrialResult? = nil
        var probe: Data? = nil
        var outputs: [[Float]]? = nil

        var isOne: Bool { [result != nil, probe != nil, outputs != nil].count(where: \.self) == 1 }
    }
    private struct State {
        var results: [String: TrialResult] = [:]
        var probes: [String: Data] = [:]
        var outputs: [String: [[Float]]] = [:]
        // Those of an earlier run, and in which line each is.
        var lines: [String: Int] = [:]
        var unused: Set<String> = []
        var file: OutputFile?

        // What an earlier run kept, and how many bytes of the file that is.
        mutating func read(_ file: ByteSource, _ fingerprint: Fingerprint, _ path: String) throws -> Int {
            let content = Data(file.bytes(0..<file.count))
            guard file.damage == nil else {
                throw DataError(
                    .mismatch, file.path, expected: "the \(file.count) bytes that it had", found: "fewer")
            }
            // Behind the last end of a line there is nothing, or a line that was cut off.
            let lines = content.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
                .dropLast()
            // Nor is there anything where not even the first line is whole.
            let first = try SelectionJournal.line(fingerprint).dropLast()
            guard !content.isEmpty, !first.starts(with: content) else { return 0 }
            let decoder = JSONDecoder()
            try SelectionJournal.check(
                lines.first.flatMap { try? decoder.decode(Fingerprint.self, from: $0) }, fingerprint, path)
            var bytes = lines[0].count + 1
            for (number, line) in lines.enumerated().dropFirst() {
                guard let kept = try? decoder.decode(Line.self, from: line), kept.isOne else {
                    throw SelectionJournal.fault(
                        path, number + 1, expected: "a training", found: "something else")
                }
                results[kept.key] = kept.result
                probes[kept.key] = kept.probe
                outputs[kept.key] = kept.outputs
                self.lines[kept.key] = number + 1
                bytes += line.count + 1
            }
            return bytes
        }
    }
    private let path: String?
    private let state: Mutex<State>
    private let keptBytes: Int
    /// Trials that an earlier run had left.
    let kept: Int

    /// - Parameters:
    ///   - path: where to keep trials; nil for memory alone.
    ///   - fingerprint: asked for where there is a path.
    /// - Throws: `SystemError` where the file cannot be written, or another run is writing it;
    ///   `DataError` where it is of another selection, or has a line that is no trial.
    init(path: String?, fingerprint: () throws -> Fingerprint) throws {
        var (state, bytes) = (State(), 0)
        if let path {
            let fingerprint = try fingerprint()
            let file = try OutputFile(path: path) { partial in
                bytes = try state.read(ByteSource(path: partial), fingerprint, path)
                return bytes
            }
            do {
                if bytes == 0 { try file.write(Self.line(fingerprint)) }
            } catch {
                file.keepNothing()
                throw error
            }
            state.file = file
        }
        state.unused = Set(state.lines.keys)
        kept = state.lines.count
        keptBytes = bytes
        self.path = path
        self.state = Mutex(state)
    }

    // A file in which nothing is kept is not left.
    deinit {
        state.withLock { state in
            let isEmpty = state.results.isEmpty && state.probes.isEmpty && state.outputs.isEmpty
            if isEmpty { state.file?.keepNothing() }
        }
    }

    private static func check(_ found: Fingerprint?, _ own: Fingerprint, _ path: String) throws(DataError) {
        guard found != own else { return }
        let (expected, other) =
            switch found {
            case nil: ("these data", "another file")
            case let found? where found.seed != own.seed: ("seed \(own.seed)", "one with seed \(found.seed)")
            case let found? where found.folds != own.folds: ("\(own.folds) folds", "one with \(found.folds)")
            default: ("these data and groups", "one with others")
            }
        throw DataError(
            .mismatch, OutputFile.partialPath(path), expected: "an interrupted selection with \(expected)",
            found: "\(other); repeat that one, delete the file to start anew, or write to another place")
    }

    /// The result of a trial; nil where it has not ended.
    ///
    /// - Parameters:
    ///   - outputs: how many outputs it has unless it failed.
    ///   - parameters: how many parameters it must have, too, unless it failed; nil for any.
    /// - Throws: `DataError` where what an earlier run kept is no result of such a trial.
    func result(_ key: String, outputs: Int, parameters: Int?) throws(DataError) -> TrialResult? {
        let (result, line) = state.withLock {
            $0.unused.remove(key)
            return ($0.results[key], $0.lines[key])
        }
        // Nobody asked for its parameters then.
        if let result, parameters != nil, result.failure == nil, result.parameters == nil { return nil }
        guard let result, let line, let path else { return result }
        let expected = result.failure == nil ? outputs : 0
        guard result.logits.count == expected, result.logits.allSatisfy(\.isFinite) else {
            let finite = result.logits.count(where: \.isFinite)
            throw Self.fault(
                path, line, expected: "\(expected) finite outputs",
                found: finite == result.logits.count
                    ? "\(finite)" : "\(result.logits.count - finite) that are not finite")
        }
        if let parameters, let own = result.parameters {
            guard own.count == parameters, own.allSatisfy(\.isFinite) else {
                throw Self.fault(
                    path, line, expected: "\(parameters) finite parameters",
                    found: "\(own.count) that are not")
            }
        }
        guard (0...Self.mostSeconds).contains(result.seconds) else {
            throw Self.fault(
                path, line, expected: "seconds from 0 to \(Self.mostSeconds)", found: "\(result.seconds)")
        }
        return result
    }

    // More than thirty years.
    private static let mostSeconds = 1e9

    private static func fault(_ path: String, _ line: Int, expected: String, found: String) -> DataError {
        DataError(
            .mismatch, OutputFile.partialPath(path), "line \(line)", expected: expected,
            found: "\(found); delete the file to start anew")
    }

    /// The probe that a training on all sequences has left; nil where it has not ended.
    ///
    /// - Parameter parameters: how many it has.
    /// - Throws: `DataError` where what an earlier run kept is no such probe.
    func probe(_ key: String, parameters: Int) throws -> Probe? {
        let (bytes, line) = state.withLock { state in
            state.unused.remove(key)
            return (state.probes[key], state.lines[key])
        }
        guard let bytes else { return nil }
        guard let probe = try? Probe(bytes: Array(bytes), name: key), probe.parameters.count == parameters
        else {
            throw Self.fault(
                path ?? "memory", line ?? 0, expected: "a probe of \(parameters) parameters", found: "another"
            )
        }
        return probe
    }

    /// Keeps what a training on all sequences has left, where there is a file.
    func add(_ key: String, _ probe: Probe) throws {
        guard path != nil else { return }
        let bytes = try Data(probe.fileBytes(name: key))
        try state.withLock { state in
            state.probes[key] = bytes
            try state.file?.write(Self.line(Line(key: key, probe: bytes)))
        }
    }

    /// What a control says of some sets, each so many numbers; nil where it has not been trained.
    ///
    /// - Throws: `DataError` where what an earlier run kept is of other sets.
    func outputs(_ key: String, counts: [Int]) throws(DataError) -> [[Float]]? {
        let (outputs, line) = state.withLock { state in
            state.unused.remove(key)
            return (state.outputs[key], state.lines[key])
        }
        guard let outputs, outputs.map(\.count) != counts || !outputs.joined().allSatisfy(\.isFinite) else {
            return outputs
        }
        throw Self.fault(
            path ?? "memory", line ?? 0, expected: "\(counts.reduce(0, +)) finite outputs", found: "others")
    }

    /// Keeps what a control says, where there is a file.
    func add(_ key: String, outputs: [[Float]]) throws {
        guard path != nil else { return }
        try state.withLock { state in
            state.outputs[key] = outputs
            try state.file?.write(Self.line(Line(key: key, outputs: outputs)))
        }
    }

    /// Keeps the result of a trial.
    func add(_ key: String, _ result: TrialResult) throws {
        try state.withLock { state in
            state.results[key] = result
            state.lines[key] = nil
            try state.file?.write(Self.line(Line(key: key, result: result)))
        }
    }

    /// Removes the file, as it is not needed any more; where an earlier run left trials that were of no
    /// use to this one, only what this one has added.
    ///
    /// - Returns: how many of those there are.
    @discardableResult func remove() -> Int {
        state.withLock { state in
            guard let file = state.file, !state.unused.isEmpty else {
                state.file?.keepNothing()
                return 0
            }
            try? file.cut(to: keptBytes)
            return state.unused.count
        }
    }

    // In one order of keys, so that every process writes the same first line.
    private static func line(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try Array(encoder.encode(value)) + [UInt8(ascii: "\n")]
    }
}
