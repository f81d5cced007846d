private import Glibc

/// The exit code of programs, and the status of the C interface, for an error of this library, as BSD's sysexits.h
/// numbers them: 64 what memory does not suffice for, 65 bad data, 66 no such input, 74 input or output failed; nil for
/// other errors.
package func failureStatus(_ error: any Error) -> Int32? {
    switch error {
    case let error as DataError: error.rule == .noRoom ? EX_IOERR : EX_DATAERR
    case is MissingInput: EX_NOINPUT
    case is MemoryShortage: EX_USAGE
    case let error as SystemError: error.isMissingInput ? EX_NOINPUT : EX_IOERR
    default: nil
    }
}
