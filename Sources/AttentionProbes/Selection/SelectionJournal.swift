// Trials that have ended, a line each, so that an interrupted selection goes on where it was:
//
//     {"selection": "FINGERPRINT"}
//     {"key": "…", "result": {"logits": […], "seconds": 1.2, "converged": true}}
//
// The fingerprint is of the data, the folds and the seed; the key of a line is the candidate with all
// its options, the fold and the replicate. Lines of another fingerprint are not used.
private import Foundation
private import Synchronization
private import Tensors

/// The trials of a selection that have ended, in memory and, if it has a path, in a file.
final class SelectionJournal: Sendable {
    private struct Head: Codable { let selection: String }
    private struct Line: Codable {
        let key: String
        let result: TrialResult
    }
    private struct State {
        var results: [String: TrialResult] = [:]
        var file: OutputFile?
    }
    private let state: Mutex<State>
    /// Trials that an earlier run had left.
    let kept: Int

    /// - Parameter path: where to keep trials; nil for memory alone.
    /// - Throws: `SystemError` where the file cannot be written, or another run is writing it.
    init(path: String?, fingerprint: String) throws {
        var state = State()
        if let path {
            let content =
                (try? Data(contentsOf: URL(fileURLWithPath: OutputFile.partialPath(path)))) ?? Data()
            let lines = content.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            let decoder = JSONDecoder()
            var bytes = 0
            if let head = lines.first, (try? decoder.decode(Head.self, from: head))?.selection == fingerprint
            {
                bytes = head.count + 1
                for line in lines.dropFirst().dropLast() {
                    guard let line = try? decoder.decode(Line.self, from: line) else { break }
                    state.results[line.key] = line.result
                }
                bytes = lines.dropLast().prefix(1 + state.results.count).reduce(0) { $0 + $1.count + 1 }
            }
            let file = try OutputFile(path: path, resumingAt: min(bytes, content.count))
            if bytes == 0 { try file.write(Self.line(Head(selection: fingerprint))) }
            state.file = file
        }
        kept = state.results.count
        self.state = Mutex(state)
    }

    /// The result of a trial that has ended.
    subscript(key: String) -> TrialResult? { state.withLock { $0.results[key] } }

    /// Keeps the result of a trial.
    func add(_ key: String, _ result: TrialResult) throws {
        try state.withLock { state in
            state.results[key] = result
            try state.file?.write(Self.line(Line(key: key, result: result)))
        }
    }

    /// Removes the file: what it held is not needed any more.
    func remove() { state.withLock { $0.file?.keepNothing() } }

    private static func line(_ value: some Encodable) throws -> [UInt8] {
        try Array(JSONEncoder().encode(value)) + [UInt8(ascii: "\n")]
    }
}

extension ActivationSet {
    /// A number for the task, the sequences, their labels and some of their hidden states (FNV-1a).
    func fingerprint(_ folds: Folds, _ task: ProbeTask, seed: UInt64) -> String {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func add(_ value: UInt64) { hash = (hash ^ value) &* 0x100_0000_01B3 }
        add(seed)
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
        return String(hash, radix: 16)
    }
}
