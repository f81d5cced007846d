import AttentionProbes
import Foundation
import ProbeTraining
import TestSupport
import Testing

@testable import ProbeSelection

@Suite("Selections in shares")
struct TrainingShareTests {
    /// The lines of a journal: the first, and the others by the training that they are of, without seconds.
    private func lines(_ path: String) throws -> (first: String, trainings: [String: String]) {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let lines = text.split(separator: "\n").map(String.init)
        var trainings: [String: String] = [:]
        for line in lines.dropFirst() {
            var object = try #require(
                JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            let key = try #require(object["key"] as? String)
            #expect(trainings[key] == nil, "\(key) twice")
            if var result = object["result"] as? [String: Any] {
                result["seconds"] = nil
                object["result"] = result
            }
            let text = try JSONSerialization.data(withJSONObject: object, options: .sortedKeys)
            trainings[key] = String(decoding: text, as: UTF8.self)
        }
        return (lines[0], trainings)
    }

    private func expectSame(_ path: String, _ other: String) throws {
        let (found, expected) = (try lines(path), try lines(other))
        #expect(found.first == expected.first)
        #expect(found.trainings.keys.sorted() == expected.trainings.keys.sorted())
        for (key, line) in expected.trainings {
            let isSame = found.trainings[key] == line
            #expect(isSame, "\(key)")
        }
    }

    /// What rounds of so many shares leave, each share from a copy of the journal of the rounds before.
    private func rounds(
        _ selection: Selection, _ data: ActivationSet, shares: Int, eachLayer: Bool = false,
        _ folder: TemporaryFolder
    ) throws -> (path: String, sizes: [Int]) {
        let whole = folder("joined-\(shares).partial")
        var sizes: [Int] = []
        while true {
            let before = try? String(contentsOfFile: whole, encoding: .utf8)
            let count = TrainingShare(0, of: 0)
            let own = folder("share")
            func start() throws {
                try? FileManager.default.removeItem(atPath: own + ".partial")
                try before?.write(toFile: own + ".partial", atomically: true, encoding: .utf8)
            }
            try start()
            try selection.train(count, of: data, eachLayer: eachLayer, journal: own)
            #expect((try? String(contentsOfFile: own + ".partial", encoding: .utf8)) == before)
            guard count.open.jobs > 0 else { return (whole, sizes) }
            sizes.append(count.open.trainings)
            var (joined, added) = (before ?? "", 0)
            // In another order than one process would have.
            for number in (0..<shares).reversed() {
                try start()
                let share = TrainingShare(number, of: shares)
                try selection.train(share, of: data, eachLayer: eachLayer, journal: own)
                #expect(share.open == count.open)
                guard let text = try? String(contentsOfFile: own + ".partial", encoding: .utf8) else {
                    continue
                }
                let new = text.dropFirst(before?.count ?? 0)
                if joined.isEmpty {
                    joined = String(new)
                } else {
                    joined += before == nil ? new.drop { $0 != "\n" }.dropFirst() : new
                }
                added += new.count { $0 == "\n" } - (before == nil ? 1 : 0)
            }
            #expect(added == count.open.trainings)
            try joined.write(toFile: whole, atomically: true, encoding: .utf8)
        }
    }

    // Quickly trained: one path of penalties, and two candidates that are on none.
    private func selection() -> Selection {
        var selection = smallSelection()
        selection.candidates = selection.candidates.filter { $0.configuration.heads == 1 }
        for i in selection.candidates.indices { selection.candidates[i].options.epochs = 5 }
        return selection
    }

    /// Shares are disjoint, and together what one process trains: as many as there are trainings, or one, or more.
    @Test(arguments: [1, 3, 200])
    func togetherTheyAreTheWholeSelection(shares: Int) throws {
        let folder = try TemporaryFolder()
        let data = try needleSet(count: 40, lengths: 3...8)
        var selection = selection()
        selection.mostRows = 12
        selection.threads = 2
        let whole = try selection.run(data, journal: folder("whole"))
        let (path, sizes) = try rounds(selection, data, shares: shares, folder)
        // All candidates, further seeds of the best ones, and what was chosen on all sequences.
        #expect(sizes.count >= 3 && sizes[0] == 4 * 4)
        try expectSame(path, folder("whole.partial"))
        // What is left to do trains nothing.
        let result = try selection.run(
            data, journal: folder("joined-\(shares)"),
            progress: { Issue.record("\($0.name) was trained again") })
        #expect(result.probe.parameters == whole.probe.parameters)
        #expect(result.entries.map(\.outOfFold) == whole.entries.map(\.outOfFold))
        #expect(result.chosen.name == whole.chosen.name)
        whole.removeJournal()
        result.removeJournal()
    }

    @Test func thoseOfSeveralLayersAreDoneInOneRound() throws {
        let folder = try TemporaryFolder()
        let data = try layeredSet([2, 4, 6], count: 40) { layer, _ in Float(layer) * 3 }
        var selection = selection()
        selection.mostRows = 20
        let whole = try selection.run(eachLayerOf: data, journal: folder("whole"))
        let (path, sizes) = try rounds(selection, data, shares: 3, eachLayer: true, folder)
        #expect(sizes[0] == 3 * 4 * 4)
        try expectSame(path, folder("whole.partial"))
        let result = try selection.run(
            eachLayerOf: data, journal: folder("joined-3"),
            progress: { Issue.record("\($0.name) was trained again") })
        #expect(result.probe.parameters == whole.probe.parameters)
        whole.removeJournal()
        result.removeJournal()
    }

    @Test func whatASelectionRefusesItsSharesRefuse() throws {
        let folder = try TemporaryFolder()
        let data = try needleSet(count: 40)
        func fault(_ body: () throws -> Void) -> String {
            do {
                try body()
                return "nothing"
            } catch { return "\(error)" }
        }
        let one = data.selecting(data.indices.filter { $0 % 2 == 0 })
        let whole = fault { _ = try selection().run(one) }
        let share = fault {
            try selection().train(TrainingShare(0, of: 0), of: one, journal: folder("probe"))
        }
        #expect(share == whole && whole != "nothing")
        try selection().train(TrainingShare(1, of: 3), of: data, journal: folder("probe"))
        var other = selection()
        other.seed = 7
        let seed = fault { try other.train(TrainingShare(1, of: 3), of: data, journal: folder("probe")) }
        #expect(seed.contains("with seed 7, found one with seed 0"))
        #expect(throws: CancellationError.self) {
            try selection().train(
                TrainingShare(0, of: 3), of: data, journal: folder("probe"), isInterrupted: { true })
        }
    }
}
