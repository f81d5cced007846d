public import AttentionProbesHeader
import AttentionProbes
import Probes
import Synchronization
import Tensors

/// What an `ap_stream` stands for.
final class StreamTarget: HandleTarget {
    static let title = "a stream"
    let stream: Mutex<ProbeStream>

    init(_ stream: ProbeStream) { self.stream = Mutex(stream) }

    /// A copy of what it knows.
    var value: ProbeStream { stream.withLock { $0 } }
}

extension ProbeStream {
    // Logits, NaN where there are none.
    fileprivate var logitsOrNaN: [Float] {
        logits ?? Array(repeating: .nan, count: probe.task.outputs)
    }
}

/// Opens a handle on a stream.
private func open(
    _ room: UnsafeMutablePointer<OpaquePointer?>?, _ stream: () throws -> ProbeStream
) throws {
    let room = try unsafe place(room, "stream")
    let target = try StreamTarget(stream())
    unsafe room.pointee = Handles.open(target)
}

/// Opens a stream without a token.
@c @implementation
public func ap_stream_open(_ probe: OpaquePointer!, _ stream: UnsafeMutablePointer<OpaquePointer?>!)
    -> ap_status
{
    status {
        try unsafe open(stream) {
            let target: ProbeTarget = try unsafe Handles.find(probe, "probe")
            return try ProbeStream(target.probe)
        }
    }
}

/// Opens a stream that knows what another does.
@c @implementation
public func ap_stream_copy(_ stream: OpaquePointer!, _ copy: UnsafeMutablePointer<OpaquePointer?>!)
    -> ap_status
{
    status {
        try unsafe open(copy) { try unsafe Handles.find(stream, "stream", as: StreamTarget.self).value }
    }
}

/// Adds tokens to a stream.
@c @implementation
public func ap_stream_append(
    _ stream: OpaquePointer!, _ states: UnsafeRawPointer!, _ type: ap_type, _ tokens: Int64, _ width: Int64,
    _ stride: Int64, _ mask: UnsafePointer<UInt8>!, _ logits: ap_floats
) -> ap_status {
    status {
        let target: StreamTarget = try unsafe Handles.find(stream, "stream")
        let states = try unsafe States(
            states, type, tokens: tokens, width: width, stride: stride, "the tokens")
        let mask = unsafe tokenMask(mask, states.matrix.rows)
        try target.stream.withLock { stream in
            let probe = stream.probe
            guard states.matrix.columns == probe.width else {
                throw ArgumentError(
                    "width", expected: "that of the probe, \(probe.width)", found: "\(states.matrix.columns)")
            }
            unsafe try logits.check("logits", 1, probe.task.outputs)
            var scratch: [Float] = []
            try states.matrix.withRows(0..<states.matrix.rows, scratch: &scratch) { (rows) throws in
                try stream.append(rows, mask: mask)
            }
            if unsafe logits.isWanted { unsafe logits.put(stream.logitsOrNaN) }
        }
    }
}

/// Gives the scores of the tokens so far.
@c @implementation
public func ap_stream_scores(_ stream: OpaquePointer!, _ logits: ap_floats, _ probabilities: ap_floats)
    -> ap_status
{
    status {
        let target: StreamTarget = try unsafe Handles.find(stream, "stream")
        let stream = target.value
        let outputs = stream.probe.task.outputs
        if unsafe probabilities.isWanted, stream.probe.task.kind == .regression {
            throw ArgumentError(
                "probabilities", expected: "a probe that classifies",
                found: stream.probe.configuration.summary)
        }
        unsafe try logits.check("logits", 1, outputs)
        unsafe try probabilities.check("probabilities", 1, outputs)
        let values = stream.logitsOrNaN
        unsafe logits.put(values)
        if unsafe probabilities.isWanted { unsafe probabilities.put(stream.probe.probabilitiesOrNaN(values)) }
    }
}

extension Probe {
    /// Probabilities from logits; NaN from those of no token.
    func probabilitiesOrNaN(_ logits: some Collection<Float>) -> [Float] {
        logits.contains { $0.isNaN } ? Array(repeating: .nan, count: logits.count) : probabilities(logits)
    }
}

/// Says how many tokens a stream has had.
@c @implementation
public func ap_stream_counts(
    _ stream: OpaquePointer!, _ tokens: UnsafeMutablePointer<Int64>!, _ unmasked: UnsafeMutablePointer<Int64>!
) -> ap_status {
    status {
        let target: StreamTarget = try unsafe Handles.find(stream, "stream")
        let (count, seen) = target.stream.withLock { ($0.count, $0.seen) }
        unsafe tokens?.pointee = Int64(count)
        unsafe unmasked?.pointee = Int64(seen)
    }
}

/// Adds all that a later stream has seen.
@c @implementation
public func ap_stream_merge(_ stream: OpaquePointer!, _ later: OpaquePointer!) -> ap_status {
    status {
        let target: StreamTarget = try unsafe Handles.find(stream, "stream")
        // A copy, so that no call waits for two streams.
        let later = try unsafe Handles.find(later, "later", as: StreamTarget.self).value
        try target.stream.withLock { try $0.merge(later) }
    }
}

/// Makes a stream forget its tokens.
@c @implementation
public func ap_stream_clear(_ stream: OpaquePointer!) -> ap_status {
    status {
        let target: StreamTarget = try unsafe Handles.find(stream, "stream")
        target.stream.withLock { $0.clear() }
    }
}

/// Gives a stream as bytes.
@c @implementation
public func ap_stream_bytes(
    _ stream: OpaquePointer!, _ bytes: UnsafeMutableRawPointer!, _ capacity: Int,
    _ size: UnsafeMutablePointer<Int>!
) -> ap_status {
    status {
        let target: StreamTarget = try unsafe Handles.find(stream, "stream")
        try unsafe giveBytes(target.value.bytes, bytes, capacity, size)
    }
}

/// Reads a stream from bytes.
@c @implementation
public func ap_stream_load_bytes(
    _ probe: OpaquePointer!, _ content: UnsafeRawPointer!, _ size: Int,
    _ stream: UnsafeMutablePointer<OpaquePointer?>!
) -> ap_status {
    status {
        try unsafe open(stream) {
            let target: ProbeTarget = try unsafe Handles.find(probe, "probe")
            return try unsafe ProbeStream(
                bytes: bytes(content, size, "bytes"), probe: target.probe, name: "the bytes of the stream")
        }
    }
}

/// Ends a handle on a stream.
@c @implementation
public func ap_stream_free(_ stream: OpaquePointer!) -> ap_status {
    status { try unsafe Handles.close(stream, as: StreamTarget.self) }
}
