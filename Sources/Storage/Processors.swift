private import FoundationEssentials
private import Glibc

/// Number of processors this process may use; at least 1.
package let processorCount = max(1, ProcessInfo.processInfo.activeProcessorCount)
