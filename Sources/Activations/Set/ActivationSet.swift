private import FoundationEssentials
public import Tensors
package import Storage

/// Sequences from one or several files, as one set: what training, scoring and evaluation take.
///
/// Files are joined without copying hidden states; sequences keep their files' order.
public struct ActivationSet: Sendable {
    /// Where a sequence is.
    package struct Location: Sendable, Equatable {
        /// Which of the files.
        package let file: Int
        /// Which of that file's sequences.
        package let sequence: Int
    }

    /// The files.
    package let files: [ActivationFile]
    /// Where each of the N sequences is.
    package let locations: [Location]
    /// Their labels as they stand in files or table, if there are any; `labelled(for:)` reads them as a task does.
    public let targets: Targets?
    // The table that labels are from; nil where it is the files.
    let labelTable: String?
    // Whether `classes` stand in another order than files and tables count them in.
    package let isReordered: Bool
    // The number of each file's first sequence among all sequences of the files.
    private let starts: [Int]
    /// Names of the classes, if the files have any.
    public let classes: [String]?
    /// Their groups, if the files have any.
    public let groups: [Int]?
    /// How much each counts in training, selection and calibration, if the files say so.
    public let weights: [Float]?
    /// What of the data is not here.
    package let leftOut: LeftOut

    /// Joins files.
    ///
    /// - Parameter labelled: whether labels, classes and groups are taken over; without, files may
    ///   differ in them.
    /// - Throws: `DataError` where there is no sequence, or files differ in width, classes, the
    ///   form of their labels, or in having groups.
    public init(_ files: [ActivationFile], labelled: Bool = true) throws(DataError) {
        try self.init(files, labelled: labelled, leftOut: LeftOut())
    }

    init(_ files: [ActivationFile], labelled: Bool, leftOut: LeftOut) throws(DataError) {
        guard let first = files.first, files.contains(where: { $0.batch.count > 0 }) else {
            throw DataError(
                .shape, files.first?.path ?? leftOut.files.first ?? "the data",
                expected: "at least one sequence", found: leftOut.inPlaceOfSequences)
        }
        for file in files.dropFirst() {
            try first.checkWidth(file)
            guard labelled else { continue }
            try first.checkLabels(file)
            try first.checkPresence(file, "groups") { $0.groups != nil }
            try first.checkPresence(file, "weights") { $0.weights != nil }
        }
        self.files = files
        self.leftOut = leftOut
        (labelTable, isReordered) = (nil, false)
        var (locations, starts): ([Location], [Int]) = ([], [])
        for (index, file) in files.enumerated() {
            starts.append(locations.count)
            for sequence in 0..<file.batch.count {
                locations.append(Location(file: index, sequence: sequence))
            }
        }
        (self.locations, self.starts) = (locations, starts)
        let labelling = labelled ? first : nil
        classes = labelling?.classes
        groups = labelling?.groups.map { _ in files.flatMap { $0.groups! } }
        weights = labelling?.weights.map { _ in files.flatMap { $0.weights! } }
        targets = labelling?.targets.map { Targets(joining: files.map { $0.targets! }, like: $0) }
    }

    /// The same sequences in other groups, or with other states.
    ///
    /// - Parameter files: as many, with the same sequences; nil for the same.
    init(_ set: ActivationSet, files: [ActivationFile]? = nil, groups: [Int]? = nil) {
        self.files = files ?? set.files
        leftOut = set.leftOut
        locations = set.locations
        starts = set.starts
        (labelTable, isReordered) = (set.labelTable, set.isReordered)
        targets = set.targets
        classes = set.classes
        weights = set.weights
        self.groups = groups ?? set.groups
    }

    /// The same sequences in other groups.
    ///
    /// - Precondition: one group a sequence.
    public func grouped(_ groups: [Int]) -> ActivationSet {
        precondition(groups.count == count, "one group a sequence")
        return ActivationSet(self, groups: groups)
    }

    /// Some of the sequences, with labels and groups of their own.
    package init(
        _ set: ActivationSet, selecting indices: [Int], targets: Targets?, classes: [String]?, groups: [Int]?,
        leftOut: LeftOut? = nil, labelTable: String? = nil, isReordered: Bool = false
    ) {
        files = set.files
        self.leftOut = leftOut ?? set.leftOut
        self.labelTable = labelTable ?? set.labelTable
        self.isReordered = isReordered || set.isReordered
        locations = indices.map { set.locations[$0] }
        starts = set.starts
        (self.targets, self.classes, self.groups) = (targets, classes, groups)
        weights = set.weights.map { weights in indices.map { weights[$0] } }
    }

    /// The set of some of the sequences, in the order given; hidden states are shared.
    public func selecting(_ indices: [Int]) -> ActivationSet { selecting(indices, leftOut: nil) }

    func selecting(_ indices: [Int], leftOut: LeftOut?) -> ActivationSet {
        ActivationSet(
            self, selecting: indices, targets: targets?.selecting(indices), classes: classes,
            groups: groups.map { groups in indices.map { groups[$0] } }, leftOut: leftOut)
    }

    /// Checks that another set has hidden states of the same kind and labels of a task.
    ///
    /// - Throws: `DataError` that names the other's file.
    package func checkFits(_ other: ActivationSet, _ task: ProbeTask) throws(DataError) {
        try checkStates(other)
        _ = try other.targets(for: task, isReordered: isReordered)
    }

    /// Checks that another set's hidden states are as wide, and of the same layers where both say and count alike.
    ///
    /// - Throws: `DataError` that names the other's file.
    package func checkStates(_ other: ActivationSet) throws(DataError) {
        try files[0].checkWidth(other.files[0])
        guard let own = layers, let others = other.layers, own.areAsStored == others.areAsStored,
            own != others
        else { return }
        throw DataError(
            .layers, other.files[0].path, expected: "\(own) as in \(files[0].path)", found: "\(others)")
    }

    /// N, the number of sequences.
    public var count: Int { locations.count }

    /// 0..<N.
    public var indices: Range<Int> { 0..<count }

    /// D, the width of a hidden state.
    public var width: Int { files[0].batch.width }

    /// T, the number of tokens of all sequences, hidden ones included.
    public var tokenCount: Int { indices.reduce(0) { $0 + length($1) } }

    /// L, the number of tokens of one sequence, hidden ones included. O(1).
    public func length(_ index: Int) -> Int {
        let location = locations[index]
        let offsets = files[location.file].batch.offsets
        return offsets[location.sequence + 1] - offsets[location.sequence]
    }

    /// The tokens of one sequence.
    public subscript(index: Int) -> TokenSequence {
        let location = locations[index]
        return files[location.file].batch[location.sequence]
    }

    /// Starts to read the hidden states of sequences in the order of their use.
    package func readAhead(_ order: some Sequence<Int>) -> ReadAhead {
        var parts: [ReadAhead.Part] = []
        if files.contains(where: { $0.batch.tokens.isMapped }) {
            for index in order {
                let location = locations[index]
                let batch = files[location.file].batch
                batch.tokens.forEachPart(batch.rows(location.sequence)) { parts.append($0) }
            }
        }
        return ReadAhead(parts)
    }

    /// Whether the hidden states are in files that together take more than half of the machine's memory.
    package var isLargerThanMemory: Bool {
        let bytes = files.reduce(0) { $0 + $1.batch.tokens.files.reduce(0) { $0 + $1.count } }
        return bytes > Int(ProcessInfo.processInfo.physicalMemory / 2)
    }

    /// Whether all files hold pooled states, one vector a sequence, and say so.
    package var isPooled: Bool { files.allSatisfy(\.form.isPooled) }

    /// Bytes of a sequence's hidden states as they are stored. O(1).
    package func byteCount(_ index: Int) -> Int {
        let location = locations[index]
        let batch = files[location.file].batch
        return batch.tokens.byteCount(batch.rows(location.sequence))
    }

    /// Whether a file is one that hidden states come from.
    package func reads(_ file: FileIdentity) -> Bool {
        files.contains { $0.batch.tokens.reads(file) }
    }

    /// The id of a sequence; where its file names none, its number among all sequences of the files.
    public func id(_ index: Int) -> String {
        let location = locations[index]
        return files[location.file].id(location.sequence) ?? String(number(index))
    }

    /// The number of a sequence among all sequences of the files, from 0 on.
    func number(_ index: Int) -> Int { starts[locations[index].file] + locations[index].sequence }
}
