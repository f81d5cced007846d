// Trials that have ended, a line each, so that an interrupted selection goes on where it was:
//
//     {"data": "FINGERPRINT", "folds": 5, "seed": 0}
//     {"key": "…", "result": {"logits": […], "seconds": 1.2, "converged": true}}
//
// The fingerprint is of the data and the folds; the key of a line is the candidate with all its options,
// the fold and the replicate. Selections among other candidates use what they share, and leave the rest.
// A file of other data, folds or another seed is refused, so that no run takes away what another kept.
private import Foundation
private import Synchronization
private import Tensors

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
        let result: TrialResult
    }
    private struct State {
        var results: [String: TrialResult] = [:]
        var unused: Set<String> = []
        var file: OutputFile?
    }
    private let state: Mutex<State>
    private let keptBytes: Int
    /// Trials that an earlier run had left.
    let kept: Int

    /// - Parameter path: where to keep trials; nil for memory alone.
    /// - Throws: `SystemError` where the file cannot be written, or another run is writing it;
    ///   `DataError` where it is of another selection.
    init(path: String?, fingerprint: Fingerprint) throws {
        var (state, bytes) = (State(), 0)
        if let path {
            let content =
                (try? Data(contentsOf: URL(fileURLWithPath: OutputFile.partialPath(path)))) ?? Data()
            // Behind the last end of a line there is nothing, or a line that was cut off.
            let lines = content.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
                .dropLast()
            let decoder = JSONDecoder()
            // Nor is there anything where not even the first line is whole.
            let isBegun = try !content.isEmpty && !Self.line(fingerprint).dropLast().starts(with: content)
            if isBegun {
                try Self.check(
                    lines.first.flatMap { try? decoder.decode(Fingerprint.self, from: $0) }, fingerprint, path
                )
                bytes = lines[0].count + 1
                for line in lines.dropFirst() {
                    guard let trial = try? decoder.decode(Line.self, from: line) else { break }
                    state.results[trial.key] = trial.result
                    bytes += line.count + 1
                }
            }
            let file = try OutputFile(path: path, resumingAt: bytes)
            do {
                if bytes == 0 { try file.write(Self.line(fingerprint)) }
            } catch {
                file.keepNothing()
                throw error
            }
            state.file = file
        }
        state.unused = Set(state.results.keys)
        kept = state.results.count
        keptBytes = bytes
        self.state = Mutex(state)
    }

    // A file in which nothing is kept is not left.
    deinit { state.withLock { if $0.results.isEmpty { $0.file?.keepNothing() } } }

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

    /// The result of a trial that has ended.
    subscript(key: String) -> TrialResult? {
        state.withLock {
            $0.unused.remove(key)
            return $0.results[key]
        }
    }

    /// Keeps the result of a trial.
    func add(_ key: String, _ result: TrialResult) throws {
        try state.withLock { state in
            state.results[key] = result
            try state.file?.write(Self.line(Line(key: key, result: result)))
        }
    }

    /// Removes the file, as it is not needed any more; where an earlier run left trials that were of no
    /// use to this one, only what this one has added.
    ///
    /// - Returns: how many of those there are.
    @discardableResult func remove() -> Int {
        state.withLock { state in
            guard let path = state.file?.path, !state.unused.isEmpty else {
                state.file?.keepNothing()
                return 0
            }
            // Closed first: its lock is in the way.
            state.file = nil
            state.file = try? OutputFile(path: path, resumingAt: keptBytes)
            return state.unused.count
        }
    }

    private static func line(_ value: some Encodable) throws -> [UInt8] {
        try Array(JSONEncoder().encode(value)) + [UInt8(ascii: "\n")]
    }
}

extension ActivationSet {
    /// A number for the task, the folds, the sequences, their labels and some of their hidden states
    /// (FNV-1a), and what it is best to have by name.
    func fingerprint(_ folds: Folds, _ task: ProbeTask, seed: UInt64) -> SelectionJournal.Fingerprint {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func add(_ value: UInt64) { hash = (hash ^ value) &* 0x100_0000_01B3 }
        for byte in "\(task)".utf8 { add(UInt64(byte)) }
        for number in [count, width, tokenCount, folds.count] + folds.assignment { add(UInt64(number)) }
        for index in indices {
            add(UInt64(length(index)))
            switch targets?[index] {
            case .class(let label): add(UInt64(label))
            case .values(let values): for value in values { add(UInt64(value.bitPattern)) }
            case nil: break
            }
            for byte in id(index).utf8 { add(UInt64(byte)) }
            if let weights { add(UInt64(weights[index].bitPattern)) }
        }
        var scratch: [Float] = []
        for index in stride(from: 0, to: count, by: max(1, count / 64)) {
            // The last: the first of many models is the same in every text.
            let last = self[index].count - 1
            self[index].withTokens(last..<last + 1, scratch: &scratch) { token in
                for d in token.indices { add(UInt64(token[d].bitPattern)) }
            }
        }
        return SelectionJournal.Fingerprint(
            data: String(hash, radix: 16), folds: folds.count, seed: seed)
    }
}
