// Handles are numbers in the form of pointers, looked up in one table: whatever a caller passes, nothing is
// dereferenced that is not known to be there.
import Synchronization

/// What a handle stands for.
protocol HandleTarget: AnyObject, Sendable {
    /// What errors call it: "a probe".
    static var title: String { get }
}

enum Handles {
    private struct Table {
        var last: UInt = 0
        var targets: [UInt: any HandleTarget] = [:]
    }
    private static let table = Mutex(Table())

    // No pointer to memory of a process has these upper bits, and no number is given twice.
    private static let mark: UInt = 0xA9 << 56

    /// A new handle.
    static func open(_ target: any HandleTarget) -> OpaquePointer {
        unsafe table.withLock { table in
            table.last += 1
            table.targets[mark | table.last] = target
            return unsafe OpaquePointer(bitPattern: mark | table.last)!
        }
    }

    /// What a handle stands for.
    ///
    /// - Throws: `ArgumentError` where it stands for nothing, or for something else.
    static func find<T: HandleTarget>(
        _ handle: OpaquePointer?, _ name: @autoclosure () -> String, as type: T.Type = T.self
    ) throws(ArgumentError) -> T {
        let number = UInt(bitPattern: handle)
        let found = table.withLock { $0.targets[number] }
        if let target = found as? T { return target }
        throw fault(number, name(), T.self, found)
    }

    /// Ends what a handle stands for; nothing where it is NULL.
    ///
    /// - Throws: `ArgumentError` where it stands for nothing, or for something else.
    static func close<T: HandleTarget>(_ handle: OpaquePointer?, as type: T.Type) throws(ArgumentError) {
        guard let handle = unsafe handle else { return }
        let number = UInt(bitPattern: handle)
        let found = table.withLock { table -> (any HandleTarget)? in
            let found = table.targets[number]
            if found is T { table.targets[number] = nil }
            return found
        }
        guard found is T else { throw fault(number, "the handle", T.self, found) }
    }

    private static func fault<T: HandleTarget>(
        _ number: UInt, _ name: String, _ type: T.Type, _ found: (any HandleTarget)?
    ) -> ArgumentError {
        ArgumentError(
            name, expected: T.title,
            found: found.map { Swift.type(of: $0).title }
                ?? (number == 0 ? "NULL" : "a handle that is not open: freed, or never given by this library")
        )
    }
}
