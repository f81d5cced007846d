import Foundation
import AttentionProbes
@testable import Storage
import TestSupport
import Testing

@Suite("Files, batches and threads")
struct StorageTests {
    @Test func mappedBytes() throws {
        let folder = try TemporaryFolder()
        let file = try ByteSource(path: folder.write([1, 2, 3, 4], to: "bytes"))
        #expect(file.count == 4 && file.bytes(1..<3) == [2, 3])
        #expect(try ByteSource(path: folder.write([], to: "empty")).count == 0)
    }

    @Test func missingFileAndFolder() throws {
        let folder = try TemporaryFolder()
        let missing = #expect(throws: SystemError.self) { try ByteSource(path: folder("none")) }
        #expect(missing?.isMissingInput == true && missing?.description.contains("No such file") == true)
        #expect(throws: SystemError.self) { try ByteSource(path: folder.path) }
        // Nobody writes it: who waited would wait for ever.
        let status = unsafe mkfifo(folder("pipe"), 0o600)
        #expect(status == 0)
        let pipe = #expect(throws: SystemError.self) { try ByteSource(path: folder("pipe")) }
        #expect(pipe?.description.contains("expected a file, found a pipe or a device") == true)
    }

    @Test func namesInFolders() throws {
        let folder = try TemporaryFolder()
        #expect(try names(inFolder: folder.path).isEmpty)
        for name in ["b", ".a", "a"] { _ = try folder.write([], to: name) }
        try makeFolder(folder("folder"))
        #expect(try names(inFolder: folder.path) == ["a", "b"])
        #expect(try firstName(inFolder: folder.path) { !["a", "folder"].contains($0) } == "b")
        try makeFolder(folder("folder"))
        #expect(throws: SystemError.self) { try makeFolder(folder("none/folder")) }
        // A folder that cannot be listed is not an empty one.
        for path in [folder("none"), folder("a")] {
            let error = #expect(throws: SystemError.self) { try names(inFolder: path) }
            #expect(error?.isMissingInput == true)
            #expect(throws: SystemError.self) { try firstName(inFolder: path) { _ in true } }
        }
    }

    // Two of two layers have rows as far apart as those of one file that is all.
    @Test func layersTurnedAboutAreCopied() throws {
        let folder = try TemporaryFolder()
        let file = try ByteSource(path: folder.write(floatBytes(0, 1, 2, 3, 4, 5, 6, 7), to: "layers"))
        let pieces = [8, 0].map { TokenMatrix.Piece(file, offset: $0, stride: 16, columns: 2) }
        let states = TokenMatrix(pieces: pieces, elementType: .f32, rows: 2)
        var bytes = [UInt8](repeating: 0, count: 32)
        states.copyRows(0..<2, into: &bytes, at: 0)
        #expect(bytes == floatBytes(2, 3, 0, 1, 6, 7, 4, 5))
        #expect(states.storedBytes(0..<2) == nil)
    }

    // Some members over and over, so that they fill pages and end within one.
    @Test func archivesOnDiskAreAsInMemory() throws {
        let folder = try TemporaryFolder()
        for (bytes, name) in [(LiteralArchive.deflated, "deflated"), (LiteralArchive.stored, "stored")] {
            let archive = try ZipArchive(path: folder.write(bytes, to: name))
            let members = Array(repeatElement(archive.members, count: 150).joined())
            let (spilled, starts) = archive.contents(of: members, memory: 0)
            for (member, start) in zip(members, starts) {
                #expect(
                    try [spilled.bytes(start..<start + member.size)]
                        == archive.starts(of: [member], member.size))
            }
            #expect(spilled.damage == nil && spilled.count > 20000)
        }
        let damaged = try ZipArchive(path: folder.write(LiteralArchive.damaged, to: "damaged"))
        let (spilled, _) = damaged.contents(of: damaged.members, memory: 0)
        #expect(spilled.bytes(0..<4) == [255, 255, 255, 255])
        guard case .damaged(let found) = spilled.damage else { throw CocoaError(.fileReadCorruptFile) }
        #expect(found.contains("hidden_state.npy"))
    }

    @Test func outputAppearsWhole() throws {
        let folder = try TemporaryFolder()
        _ = try folder.write([9], to: "out")
        let output = try OutputFile(path: folder("out"))
        try output.write([1, 2])
        #expect(try ByteSource(path: folder("out")).bytes(0..<1) == [9])
        try output.write([3])
        try output.commit()
        #expect(try ByteSource(path: folder("out")).bytes(0..<3) == [1, 2, 3])
        #expect(try folder.names == ["out"])
    }

    @Test func droppedOutputLeavesNothing() throws {
        let folder = try TemporaryFolder()
        do {
            let output = try OutputFile(path: folder("out"))
            try output.write([1])
            // Nor does a process that is killed.
            #expect(try folder.names == [])
        }
        #expect(try folder.names == [])
    }

    // Parts of a file end at multiples of 2 MB: these bytes start behind others and go over three such ends, the
    // later ones first, by a buffer and as a copy.
    @Test func outputInParts() throws {
        let folder = try TemporaryFolder()
        let states = (0..<7_000_001).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 11) }
        let input = try ByteSource(path: folder.write([1, 2, 3] + states, to: "in"))
        let half = 3_400_000
        let output = try OutputFile(path: folder("out"))
        try output.write(Array("head".utf8))
        try output.writeParts(2 * states.count) { parts in
            try parts.copy(input, 3..<3 + states.count, at: states.count)
            var buffer = OutputBuffer(parts)
            for range in [half..<states.count, 0..<half] {
                buffer.move(to: range.lowerBound)
                for start in stride(from: range.lowerBound, to: range.upperBound, by: 900_007) {
                    let piece = start..<min(start + 900_007, range.upperBound)
                    try buffer.append(piece.count) { bytes, place in
                        for i in piece { bytes[place + i - start] = states[i] }
                    }
                }
                try buffer.finish()
            }
        }
        try output.write(Array("tail".utf8))
        try output.commit()
        let written = try Data(contentsOf: URL(fileURLWithPath: folder("out")))
        #expect(written == Data(Array("head".utf8) + states + states + Array("tail".utf8)))
    }

    @Test func outputThroughALinkKeepsTheLink() throws {
        let folder = try TemporaryFolder()
        _ = try folder.write([9], to: "target")
        try FileManager.default.createSymbolicLink(
            atPath: folder("link"), withDestinationPath: folder("target"))
        let output = try OutputFile(path: folder("link"))
        try output.write([1])
        try output.commit()
        #expect(try ByteSource(path: folder("target")).bytes(0..<1) == [1])
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: folder("link")) == folder("target"))
    }

    @Test func outputWithoutPlace() throws {
        let folder = try TemporaryFolder()
        #expect(throws: SystemError.self) { try OutputFile(path: folder("no/out")) }
        let full = try OutputFile(path: "/dev/full")
        #expect(throws: SystemError(operation: "write", path: "/dev/full", code: ENOSPC)) {
            try full.write([1])
        }
    }

    @Test(arguments: [
        ([1, 2], RaggedBatch.Fault.firstOffset(found: 1)), ([], .firstOffset(found: nil)),
        ([0, 2, 1, 4], .fallingOffset(index: 2, found: 1, before: 2)),
        ([0, 3], .lastOffset(found: 3, tokens: 4)),
        ([0, 2, 2, 4], .emptySequence(index: 1)),
    ])
    func brokenOffsets(offsets: [Int], fault: RaggedBatch.Fault) {
        let tokens = TokenMatrix([1, 2, 3, 4], columns: 1)
        #expect(throws: fault) { try RaggedBatch(tokens: tokens, offsets: offsets) }
    }

    @Test func brokenMasks() {
        let tokens = TokenMatrix([1, 2, 3, 4], columns: 1)
        #expect(throws: RaggedBatch.Fault.maskLength(found: 2, tokens: 4)) {
            try RaggedBatch(tokens: tokens, offsets: [0, 4], tokenMask: [true, true])
        }
        #expect(throws: RaggedBatch.Fault.maskedSequence(index: 1)) {
            try RaggedBatch(tokens: tokens, offsets: [0, 2, 4], tokenMask: [true, false, false, false])
        }
    }

    @Test func matrixThroughItsSpans() {
        var matrix = Matrix(rows: 2, columns: 3)
        let shared = matrix
        var elements = matrix.mutableSpan
        for i in elements.indices { elements[i] = Float(i) }
        #expect(matrix.span[5] == 5 && matrix[1, 0] == 3 && Array(matrix[row: 1]) == [3, 4, 5])
        #expect(shared.storage == [0, 0, 0, 0, 0, 0])
    }

    @Test(arguments: [1, 2, 7])
    func parallelResultsAreInOrder(threads: Int) throws {
        #expect(try Parallel.map(count: 100, threads: threads) { $0 * $0 } == (0..<100).map { $0 * $0 })
        #expect(try Parallel.map(count: 0, threads: threads) { $0 } == [])
    }

    @Test(arguments: [1, 3])
    func parallelErrorsReachTheCaller(threads: Int) {
        struct Fault: Error {}
        #expect(throws: Fault.self) {
            try Parallel.map(count: 10, threads: threads) { if $0 == 4 { throw Fault() } }
        }
    }

    @Test func seededGenerator() {
        var (a, b, other) = (
            SeededGenerator(seed: 5), SeededGenerator(seed: 5), SeededGenerator(seed: 5, stream: 1)
        )
        let numbers = (0..<1000).map { _ in a.normal() }
        #expect(numbers == (0..<1000).map { _ in b.normal() })
        #expect(numbers[0] != other.normal())
        let mean = numbers.reduce(0, +) / 1000
        let variance = numbers.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 1000
        #expect(abs(mean) < 0.1 && abs(variance - 1) < 0.15)
    }
}
