// Every exported function is a body that may throw, in `status`, which turns what it throws into a status and a message.
public import AttentionProbesHeader
import ArgumentParser
import AttentionProbes
import Glibc
import ProbeCommands
import Synchronization

/// An argument that cannot be.
struct ArgumentError: Error, CustomStringConvertible {
    let description: String

    init(_ name: String, expected: String, found: String) {
        description = "\(name): expected \(expected), found \(found)"
    }
}

/// Runs the body of an exported function.
///
/// - Parameter function: its name, from which a message about an argument begins.
func status(_ function: String = #function, _ body: () throws -> Void) -> ap_status {
    do {
        try body()
        return AP_OK
    } catch let error as ArgumentError {
        LastError.set("\(function.prefix { $0 != "(" }): \(error)")
        return AP_USAGE
    } catch let error as OptionError {
        LastError.set("\(function.prefix { $0 != "(" }): \(error)")
        return AP_USAGE
    } catch is CancellationError {
        LastError.set("\(function.prefix { $0 != "(" }): stopped by the callback")
        return AP_INTERRUPTED
    } catch let error as ValidationError {
        LastError.set("\(error)")
        return AP_USAGE
    } catch {
        LastError.set("\(error)")
        return failureStatus(error).map { ap_status(rawValue: UInt32($0)) } ?? AP_INTERNAL
    }
}

/// What the last failure in a thread said.
enum LastError {
    // The text is freed when the thread ends.
    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        unsafe pthread_key_create(&key) { unsafe free($0) }
        return key
    }()

    static func set(_ message: String) {
        let old = unsafe pthread_getspecific(key)
        unsafe pthread_setspecific(key, strdup(message.showingPathBytes()))
        unsafe free(old)
    }

    static var text: UnsafePointer<CChar> {
        guard let text = unsafe pthread_getspecific(key) else { return unsafe empty }
        return unsafe UnsafePointer(text.assumingMemoryBound(to: CChar.self))
    }

    private nonisolated(unsafe) static let empty = unsafe UnsafePointer(strdup("")!)
}

/// Texts that were given to a caller and not freed.
enum Texts {
    private static let given = Mutex<Set<UInt>>([])

    static func give(_ text: String) -> UnsafeMutablePointer<CChar> {
        let copy = unsafe strdup(text)!
        given.withLock { _ = $0.insert(UInt(bitPattern: copy)) }
        return unsafe copy
    }

    static func free(_ text: UnsafeMutablePointer<CChar>?) throws(ArgumentError) {
        guard let text = unsafe text else { return }
        guard given.withLock({ $0.remove(UInt(bitPattern: text)) }) != nil else {
            throw ArgumentError(
                "text", expected: "a text that this library returned and that was not freed",
                found: "another pointer")
        }
        unsafe Glibc.free(text)
    }
}

/// What the last call that failed in this thread says.
@c @implementation public func ap_last_error() -> UnsafePointer<CChar>! { unsafe LastError.text }

/// Frees a text that a function returned.
@c @implementation public func ap_text_free(_ text: UnsafeMutablePointer<CChar>!) -> ap_status {
    status { unsafe try Texts.free(text) }
}

private nonisolated(unsafe) let version = unsafe UnsafePointer(strdup(libraryVersion)!)

/// The version of the library.
@c @implementation public func ap_version() -> UnsafePointer<CChar>! { unsafe version }
