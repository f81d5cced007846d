private import FoundationEssentials
private import Glibc
private import Synchronization

/// Memory that this process can still get, and what sets that limit.
package struct AvailableMemory: Sendable, Equatable, CustomStringConvertible {
    /// How much.
    package let bytes: Int
    /// What sets the limit, for people: "left on this machine".
    package let limit: String

    /// "14.9 GB left on this machine".
    package var description: String { "\(byteText(Double(bytes))) \(limit)" }

    // Bytes that the process is to have at most; 0 for no such limit.
    private static let most = Atomic(0)

    /// Limits the memory of the process, for `now` to say what is left of it. Of files that are mapped nothing counts.
    package static func limit(to bytes: Int) { most.store(bytes, ordering: .relaxed) }

    /// Whether `limit` was given.
    package static var isLimited: Bool { most.load(ordering: .relaxed) > 0 }

    /// The least of what the machine has left (with its swap space), what the process's control group and those around
    /// it leave (both versions; a group's file cache can be dropped, and counts as left), what the limits on
    /// address space and data (`ulimit -v`, `ulimit -d`) leave, and what `limit` does. nil where the system tells
    /// nothing.
    ///
    /// - Parameters:
    ///   - root: the folder that `proc` and `sys` are in.
    ///   - most: bytes that the process is to have at most; nil for those that `limit` was given.
    package static func now(root: String = "/", most: Int? = nil) -> AvailableMemory? {
        let root = root.hasSuffix("/") ? root : root + "/"
        let most = most ?? self.most.load(ordering: .relaxed)
        return ([machine(root)] + groups(root) + limits(root, most)).compactMap(\.self).min {
            $0.bytes < $1.bytes
        }
    }

    /// What the limits on address space and data leave; nil without such limits. What is beyond them cannot be had, where
    /// beyond the others it may be slow.
    package static func ofProcess(root: String = "/") -> AvailableMemory? {
        limits(root, 0).compactMap(\.self).min { $0.bytes < $1.bytes }
    }

    private static func machine(_ root: String) -> AvailableMemory? {
        let fields = fields("\(root)proc/meminfo")
        return fields["MemAvailable"].map {
            AvailableMemory(bytes: ($0 + (fields["SwapFree"] ?? 0)) * 1024, limit: "left on this machine")
        }
    }

    // Lines "9:memory:/path" of version 1, "0::/path" of version 2.
    private static func groups(_ root: String) -> [AvailableMemory?] {
        let lines = text("\(root)proc/self/cgroup").split(separator: "\n")
        return lines.flatMap { line -> [AvailableMemory?] in
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { return [] }
            let isFirst = parts[1].split(separator: ",").contains("memory")
            guard isFirst || parts[1].isEmpty else { return [] }
            let (mount, names, cache) =
                isFirst
                ? (
                    "\(root)sys/fs/cgroup/memory", ("memory.limit_in_bytes", "memory.usage_in_bytes"),
                    ["total_active_file", "total_inactive_file"]
                )
                : (
                    "\(root)sys/fs/cgroup", ("memory.max", "memory.current"),
                    ["active_file", "inactive_file"]
                )
            // The group and those around it.
            let path = parts[2].split(separator: "/")
            return (0...path.count).map { depth in
                let folder = ([mount] + path.prefix(depth).map(String.init)).joined(separator: "/")
                guard let most = number("\(folder)/\(names.0)"), let used = number("\(folder)/\(names.1)")
                else { return nil }
                let stat = fields("\(folder)/memory.stat")
                let kept = cache.reduce(0) { $0 + (stat[$1] ?? 0) }
                return AvailableMemory(bytes: max(0, most - used + kept), limit: "left in its control group")
            }
        }
    }

    private static func limits(_ root: String, _ most: Int) -> [AvailableMemory?] {
        // Pages: all, resident, shared, code, 0, data and stack.
        let pages = text("\(root)proc/self/statm").split { $0.isWhitespace }.compactMap { Int($0) }
        guard pages.count >= 6 else { return [] }
        let own = (pages[1] - pages[2]) * Int(getpagesize())
        let limited =
            most == 0 ? nil : AvailableMemory(bytes: max(0, most - own), limit: "left of --max-memory")
        let kinds = [(RLIMIT_AS, pages[0], "ulimit -v"), (RLIMIT_DATA, pages[5], "ulimit -d")]
        return [limited]
            + kinds.map { kind, used, name in
                var limit = rlimit()
                guard unsafe getrlimit(__rlimit_resource_t(kind.rawValue), &limit) == 0,
                    limit.rlim_cur < UInt64(Int.max)
                else { return nil }
                let left = max(0, Int(limit.rlim_cur) - used * Int(getpagesize()))
                return AvailableMemory(bytes: left, limit: "left of \(name)")
            }
    }

    private static func text(_ path: String) -> String {
        (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
    }

    // nil for "max".
    private static func number(_ path: String) -> Int? {
        text(path).split { $0.isWhitespace }.first.flatMap { Int($0) }
    }

    // Lines "name: 12 kB" or "name 12".
    private static func fields(_ path: String) -> [String: Int] {
        let lines = text(path).split(separator: "\n")
        return lines.reduce(into: [:]) { fields, line in
            let words = line.split { $0 == " " || $0 == ":" }
            if words.count >= 2, let value = Int(words[1]) { fields[String(words[0])] = value }
        }
    }
}

/// Bytes for people: "14.9 GB".
package func byteText(_ bytes: Double) -> String {
    let units = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB")]
    let (size, name) = units.first { bytes >= $0.0 } ?? (1e3, "kB")
    return "\((10 * bytes / size).rounded() / 10) \(name)"
}
