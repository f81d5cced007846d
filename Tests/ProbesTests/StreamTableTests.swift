import Tensors
import TestSupport
import Testing

@testable import Probes

@Suite("Rows of streams by id")
struct StreamTableTests {
    // Ids that are near each other, far apart, negative and multiples of a large power of two come and go.
    @Test func itIsADictionary() throws {
        // After some of these steps numbers begin anew.
        var table = StreamTable(step: .max - 5000)
        var rows: [Int] = []
        var expected: [Int: Int] = [:]
        var generator = SeededGenerator(seed: 1)
        let ids = (0..<300).flatMap { [$0, -$0 - 1, $0 << 40, .max - $0] }
        var fresh = 0
        for _ in 0..<20_000 {
            let id = ids.randomElement(using: &generator)!
            #expect(table[id] == expected[id])
            if expected[id] == nil {
                table.insert(id, row: fresh)
                expected[id] = fresh
                fresh += 1
            } else if Int.random(in: 0..<3, using: &generator) > 0 {
                #expect(table.remove(id) == expected.removeValue(forKey: id))
                #expect(table.remove(id) == nil)
            }
            // Whatever came, went or moved, no step takes an id for one of the step before.
            if let id = expected.keys.first {
                try table.rows([id], into: &rows)
                #expect(rows == [expected[id]!])
            }
        }
        #expect(table.count == expected.count && table.ids.sorted() == expected.keys.sorted())
        #expect(ids.allSatisfy { table[$0] == expected[$0] })
    }

    @Test func rowsOfSeveralIdsAreOfEachOnce() throws {
        var table = StreamTable()
        for id in 0..<50 { table.insert(id, row: 49 - id) }
        var rows: [Int] = []
        // Faults between good calls leave nothing behind.
        for round in 0..<3 {
            try table.rows([7, 0, 49], into: &rows)
            #expect(rows == [42, 49, 0])
            try table.rows([49, 7], into: &rows)
            #expect(rows == [0, 42])
            let twice = #expect(throws: StreamTable.Fault.self) { try table.rows([3, 7, 1, 7], into: &rows) }
            let missing = #expect(throws: StreamTable.Fault.self) {
                try table.rows([7, 50 + round, 7], into: &rows)
            }
            guard case .twice(7) = twice, case .missing(50 + round) = missing else {
                Issue.record("\(String(describing: twice)), \(String(describing: missing))")
                continue
            }
        }
    }
}
