import Foundation
import AttentionProbes
@testable import Storage
import TestSupport
import Testing

@Suite("Where files are written")
struct OutputTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test(arguments: [false, true])
    func outputThroughALinkToNothingIsWhatItLeadsTo(isResumable: Bool) throws {
        try FileManager.default.createSymbolicLink(atPath: folder("link"), withDestinationPath: "second")
        try FileManager.default.createSymbolicLink(
            atPath: folder("second"), withDestinationPath: folder("target"))
        let path = folder("link")
        let output = try isResumable ? OutputFile(path: path) { _ in 0 } : OutputFile(path: path)
        try output.write([1])
        try output.commit()
        #expect(try folder.names == ["link", "second", "target"])
        #expect(try ByteSource(path: folder("target")).bytes(0..<1) == [1])
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: folder("link")) == "second")
    }

    @Test func namesThatNoFileCanHaveAreRefusedAtOnce() {
        let name = folder(String(repeating: "x", count: 256))
        let fault = SystemError(operation: "write", path: name, code: ENAMETOOLONG)
        #expect(throws: fault) { try OutputFile(path: name) }
        #expect(throws: fault) { try OutputFile.check(path: name) }
    }

    @Test func hiddenFilesOfProcessesThatAreGoneAreRemoved() throws {
        let abandoned = try folder.write([1], to: ".attention-probes-1.partial")
        let used = try folder.write([1], to: ".attention-probes-2.partial")
        let other = try folder.write([1], to: ".other.partial")
        let descriptor = unsafe open(used, O_RDONLY)
        defer { close(descriptor) }
        #expect(flock(descriptor, LOCK_EX) == 0)
        _ = try OutputFile(path: folder("out"))
        #expect(!FileManager.default.fileExists(atPath: abandoned))
        #expect([used, other].allSatisfy(FileManager.default.fileExists))
    }

    // As when another run gave it the target's name between the opening and the lock.
    @Test func aPartialFileOfAnotherNameIsNotWritten() throws {
        let path = try folder.write([1, 2], to: "out.partial")
        let descriptor = unsafe open(path, O_RDWR)
        defer { close(descriptor) }
        try FileManager.default.moveItem(atPath: path, toPath: folder("out"))
        let fault = SystemError(operation: "lock", path: path, code: EWOULDBLOCK)
        #expect(throws: fault) { try OutputTarget.claim(descriptor, path) }
        _ = try folder.write([3], to: "out.partial")
        #expect(throws: fault) { try OutputTarget.claim(descriptor, path) }
        #expect(throws: Never.self) { try OutputTarget.claim(descriptor, folder("out")) }
    }

    @Test func twoRunsDoNotWriteOnePartialFile() throws {
        let first = try OutputFile(path: folder("out")) { _ in 0 }
        try first.write([1])
        let fault = SystemError(operation: "lock", path: folder("out.partial"), code: EWOULDBLOCK)
        #expect(throws: fault) { try OutputFile(path: folder("out")) { _ in 0 } }
        try first.commit()
        #expect(try ByteSource(path: folder("out")).bytes(0..<1) == [1])
    }

    // What is kept is looked at while nobody else can write, and never more than there is.
    @Test func aPartialFileIsLockedBeforeItIsRead() throws {
        _ = try folder.write([1, 2, 3], to: "out.partial")
        let locked = SystemError(operation: "lock", path: folder("out.partial"), code: EWOULDBLOCK)
        #expect(locked.description.hasSuffix("out.partial: another process is writing it"))
        do {
            let output = try OutputFile(path: folder("out")) { path in
                #expect(path == folder("out.partial"))
                #expect(throws: locked) { try OutputFile(path: folder("out")) { _ in 0 } }
                return 2
            }
            try output.write([9])
        }
        let kept = try ByteSource(path: folder("out.partial"))
        #expect(kept.bytes(0..<kept.count) == [1, 2, 9])
        #expect(throws: CancellationError.self) {
            try OutputFile(path: folder("out")) { _ in throw CancellationError() }
        }
        let short = SystemError(operation: "write", path: folder("out"), code: EIO)
        #expect(throws: short) { try OutputFile(path: folder("out")) { _ in 4 } }
        #expect(try ByteSource(path: folder("out.partial")).count == 3)
        // One that was made for nothing is gone again.
        #expect(throws: CancellationError.self) {
            try OutputFile(path: folder("new")) { _ in throw CancellationError() }
        }
        #expect(try folder.names == ["out.partial"])
    }

    @Test func anEmptyPartialFileIsNotKept() throws {
        do {
            let output = try OutputFile(path: folder("out")) { _ in 0 }
            #expect(output.partialPath == nil)
        }
        #expect(try folder.names.isEmpty)
    }

    @Test func bytesAreCounted() throws {
        let output = try OutputFile(path: folder("out"))
        try output.write([1, 2, 3])
        try output.writeParts(4) { parts in
            var buffer = OutputBuffer(parts)
            try buffer.append(4) { bytes, place in bytes[place] = 9 }
            try buffer.finish()
        }
        #expect(output.byteCount == 7)
    }

    @Test func aFileThatKeepsItsPlaceGetsTheBytes() throws {
        let long = [UInt8](repeating: 7, count: 3_000_000)
        let source = try folder.write([1, 2, 3], to: "source")
        for before in [[9], long] {
            let target = try folder.write(before, to: "target")
            let descriptor = unsafe open(source, O_RDONLY)
            defer { close(descriptor) }
            try OutputTarget.copy(descriptor, to: target, target, isDurable: true)
            #expect(try Data(contentsOf: URL(fileURLWithPath: target)) == Data([1, 2, 3]))
        }
    }

    @Test func brokenSequences() {
        let tokens = TokenMatrix([1, 2, 3, 4], columns: 1)
        #expect(throws: RaggedBatch.Fault.outsideMatrix(index: 1, found: 3..<5, tokens: 4)) {
            try RaggedBatch(tokens: tokens, rows: [0..<1, 3..<5])
        }
        #expect(throws: RaggedBatch.Fault.outsideMatrix(index: 0, found: -1..<1, tokens: 4)) {
            try RaggedBatch(tokens: tokens, rows: [-1..<1])
        }
        #expect(throws: RaggedBatch.Fault.brokenToken(index: 1, found: 3, width: 2)) {
            try RaggedBatch([[1, 2], [1, 2, 3]], width: 2)
        }
        #expect(throws: RaggedBatch.Fault.emptySequence(index: 0)) { try RaggedBatch([[]], width: 2) }
    }
}
