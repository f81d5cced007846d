private import Synchronization

/// Things that are made when none is free, and are lent to one user at a time: buffers that grow once and stay.
package final class Pool<Value: Sendable>: Sendable {
    private let free = Mutex<[Value]>([])
    private let make: @Sendable () -> Value

    package init(_ make: @escaping @Sendable () -> Value) { self.make = make }

    /// Something that is back in the pool when nobody holds it any more.
    package func lend() -> Loan<Value> {
        let value = free.withLock { $0.popLast() }
        return Loan(value ?? make(), from: self)
    }

    fileprivate func take(_ value: Value) { free.withLock { $0.append(value) } }
}

/// What a pool has lent.
package final class Loan<Value: Sendable> {
    package var value: Value
    private let pool: Pool<Value>

    fileprivate init(_ value: Value, from pool: Pool<Value>) { (self.value, self.pool) = (value, pool) }

    deinit { pool.take(value) }
}
