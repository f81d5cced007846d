/// Which row of a matrix each open stream has, by its id.
///
/// Open addressing with linear probing: what is to be known of an id lies in one line of the cache, as a step looks up
/// many ids that have not been looked at for a while.
struct StreamTable: Sendable {
    private struct Entry {
        var id = 0
        // -1 where there is none.
        var row: Int32 = -1
        // The last step it was in, by its number; 0 for none.
        var step: UInt32 = 0
    }

    // A power of two, at most half of them taken.
    private var entries: [Entry] = Array(repeating: Entry(), count: 16)
    // The number of the last step.
    private var step: UInt32
    /// How many ids are there.
    private(set) var count = 0

    /// No ids.
    ///
    /// - Parameter step: the number that the step before the first is taken to have.
    init(step: UInt32 = 0) { self.step = step }

    /// The ids, in no order.
    var ids: [Int] { entries.compactMap { $0.row < 0 ? nil : $0.id } }

    /// The row of an id; nil where it is not there.
    subscript(id: Int) -> Int? {
        let entry = entries[place(of: id)]
        return entry.row < 0 ? nil : Int(entry.row)
    }

    /// - Precondition: the id is not there, and the row below 2³¹.
    mutating func insert(_ id: Int, row: Int) {
        if 2 * (count + 1) > entries.count {
            let all = entries
            entries = Array(repeating: Entry(), count: 2 * all.count)
            for entry in all where entry.row >= 0 { entries[place(of: entry.id)] = entry }
        }
        let place = place(of: id)
        precondition(entries[place].row < 0, "an id that is there")
        entries[place] = Entry(id: id, row: Int32(row))
        count += 1
    }

    /// Takes an id out.
    ///
    /// - Returns: the row that it had; nil where it was not there.
    mutating func remove(_ id: Int) -> Int? {
        var gap = place(of: id)
        let row = entries[gap].row
        guard row >= 0 else { return nil }
        let mask = entries.count - 1
        // Entries behind move up unless they are nearer to where they are looked for.
        var next = (gap + 1) & mask
        while entries[next].row >= 0 {
            if (next - home(entries[next].id)) & mask >= (next - gap) & mask {
                entries[gap] = entries[next]
                gap = next
            }
            next = (next + 1) & mask
        }
        entries[gap] = Entry()
        count -= 1
        return Int(row)
    }

    enum Fault: Error { case missing(Int), twice(Int) }

    /// Finds the rows of several ids.
    ///
    /// - Throws: for the first that is not there or was there before.
    mutating func rows(_ ids: [Int], into rows: inout [Int]) throws(Fault) {
        rows.removeAll(keepingCapacity: true)
        if step == .max {
            for place in entries.indices { entries[place].step = 0 }
            step = 0
        }
        step += 1
        // Of what may not be in the cache only collisions and faults change where a branch goes, so that the processor mostly
        // looks for several ids at a time.
        for id in ids {
            let place = place(of: id)
            let entry = entries[place]
            guard entry.row >= 0 else { throw .missing(id) }
            guard entry.step != step else { throw .twice(id) }
            entries[place].step = step
            rows.append(Int(entry.row))
        }
    }

    // Where an id is, or would be.
    private func place(of id: Int) -> Int {
        var place = home(id)
        while entries[place].row >= 0, entries[place].id != id { place = (place + 1) & (entries.count - 1) }
        return place
    }

    // The end of MurmurHash3, which spreads ids that differ in any bits.
    private func home(_ id: Int) -> Int {
        var hash = UInt64(bitPattern: Int64(id))
        hash = (hash ^ hash >> 33) &* 0xff51_afd7_ed55_8ccd
        hash = (hash ^ hash >> 33) &* 0xc4ce_b9fe_1a85_ec53
        return Int(truncatingIfNeeded: hash ^ hash >> 33) & (entries.count - 1)
    }
}
