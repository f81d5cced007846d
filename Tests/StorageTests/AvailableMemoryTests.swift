import Foundation
import AttentionProbes
import TestSupport
import Testing

/// On a made-up machine.
@Suite("Available memory")
struct AvailableMemoryTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try write("proc/meminfo", "MemTotal: 90000 kB\nMemAvailable:   1000 kB\nSwapFree: 24 kB\n")
    }

    private func write(_ path: String, _ text: String) throws {
        let file = URL(fileURLWithPath: folder(path))
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
    }

    private var found: String {
        AvailableMemory.now(root: folder.path).map { "\($0.bytes) \($0.limit)" } ?? ""
    }

    @Test func theMachineWithItsSwapSpace() throws {
        #expect(found == "\(1024 * 1024) left on this machine")
        #expect("\(try #require(AvailableMemory.now(root: folder.path)))" == "1.0 MB left on this machine")
        #expect(AvailableMemory.now(root: folder("none")) == nil)
    }

    @Test func groupsOfVersionTwo() throws {
        try write("proc/self/cgroup", "0::/outer/inner\n")
        try write("sys/fs/cgroup/outer/memory.max", "9000\n")
        try write("sys/fs/cgroup/outer/memory.current", "4000\n")
        try write("sys/fs/cgroup/outer/memory.stat", "anon 3000\nactive_file 100\ninactive_file 20\n")
        try write("sys/fs/cgroup/outer/inner/memory.max", "max\n")
        try write("sys/fs/cgroup/outer/inner/memory.current", "4000\n")
        #expect(found == "5120 left in its control group")
        try write("sys/fs/cgroup/outer/inner/memory.max", "3000\n")
        #expect(found == "0 left in its control group")
    }

    @Test func groupsOfVersionOne() throws {
        try write("proc/self/cgroup", "8:pids:/\n4:cpu,memory:/jobs/a\n0::/\n")
        try write("sys/fs/cgroup/memory/jobs/a/memory.limit_in_bytes", "9223372036854771712\n")
        try write("sys/fs/cgroup/memory/jobs/a/memory.usage_in_bytes", "500\n")
        #expect(found == "\(1024 * 1024) left on this machine")
        try write("sys/fs/cgroup/memory/jobs/memory.limit_in_bytes", "7000\n")
        try write("sys/fs/cgroup/memory/jobs/memory.usage_in_bytes", "6000\n")
        try write("sys/fs/cgroup/memory/jobs/memory.stat", "active_file 9\ntotal_inactive_file 50\n")
        #expect(found == "1050 left in its control group")
    }

    // 40 pages of its own besides 60 of files.
    @Test func whatTheProcessIsToHaveAtMost() throws {
        try write("proc/self/statm", "500 100 60 9 0 80 0\n")
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let left = try #require(AvailableMemory.now(root: folder.path, most: 50 * page))
        #expect(left.bytes == 10 * page && left.limit == "left of --max-memory")
        #expect(AvailableMemory.now(root: folder.path, most: 30 * page)?.bytes == 0)
        #expect(found == "\(1024 * 1024) left on this machine")
    }

    /// What this process has, with its own limits.
    @Test func thisMachine() throws {
        let now = try #require(AvailableMemory.now())
        #expect(now.bytes > 0 && now.bytes < Int(ProcessInfo.processInfo.physicalMemory) * 100)
    }
}
