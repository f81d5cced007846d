private import Glibc

/// How often the process has asked for memory, where a library that counts is loaded before all others, as `scripts/bench`
/// does; nil without.
package func countedAllocations() -> Int? {
    unsafe dlsym(nil, "counted_allocations").map {
        Int(unsafe unsafeBitCast($0, to: (@convention(c) () -> UInt64).self)())
    }
}
