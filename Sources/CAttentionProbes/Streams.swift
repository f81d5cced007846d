public import AttentionProbesHeader
import AttentionProbes
import Probes
import Synchronization
import Tensors

/// What an `ap_streams` stands for.
final class StreamsTarget: HandleTarget {
    static let title = "streams"

    struct State {
        var streams: ProbeStreams
        /// States of a step that are not stored as floats side by side.
        var scratch: [Float] = []
    }
    let state: Mutex<State>

    init(_ streams: ProbeStreams) { state = Mutex(State(streams: streams)) }
}

private func withStreams<R: Sendable>(
    _ handle: OpaquePointer?, _ body: (inout sending StreamsTarget.State) throws -> sending R
) throws -> R {
    try unsafe Handles.find(handle, "streams", as: StreamsTarget.self).state.withLock { try body(&$0) }
}

/// Makes streams of several probes, none of them open.
@c @implementation
public func ap_streams_create(
    _ handles: UnsafePointer<OpaquePointer?>!, _ count: Int64, _ threads: Int32,
    _ streams: UnsafeMutablePointer<OpaquePointer?>!
) -> ap_status {
    status {
        let streams = try unsafe place(streams, "streams")
        let set = try unsafe ProbeTarget.set(probes(handles, count))
        let target = try StreamsTarget(ProbeStreams(set, threads: threadCount(threads)))
        unsafe streams.pointee = Handles.open(target)
    }
}

/// Opens a stream by its number.
@c @implementation
public func ap_streams_open(
    _ streams: OpaquePointer!, _ id: Int64, _ from: UnsafePointer<OpaquePointer?>!
) -> ap_status {
    status {
        let target: StreamsTarget = try unsafe Handles.find(streams, "streams")
        let count = target.state.withLock { $0.streams.probes.count }
        var known: [ProbeStream]?
        if unsafe from != nil {
            known = []
            let handles = try unsafe array(from, Int64(count), "from")
            for i in handles.indices {
                known!.append(try unsafe Handles.find(handles[i], "from[\(i)]", as: StreamTarget.self).value)
            }
        }
        try target.state.withLock { [known] in try $0.streams.open(Int(id), from: known) }
    }
}

/// Closes a stream that is open.
@c @implementation
public func ap_streams_close(_ streams: OpaquePointer!, _ id: Int64) -> ap_status {
    status { try unsafe withStreams(streams) { _ = try $0.streams.close(Int(id)) } }
}

/// Says which streams are open.
@c @implementation
public func ap_streams_ids(
    _ streams: OpaquePointer!, _ ids: UnsafeMutablePointer<Int64>!, _ capacity: Int64,
    _ count: UnsafeMutablePointer<Int64>!
) -> ap_status {
    status {
        let count = try unsafe place(count, "count")
        guard unsafe ids != nil else {
            unsafe count.pointee = try Int64(withStreams(streams) { $0.streams.count })
            return
        }
        let open = try unsafe withStreams(streams) { $0.streams.ids.sorted().map { Int64($0) } }
        unsafe count.pointee = Int64(open.count)
        try unsafe give(open, ids, capacity: capacity, "ids")
    }
}

/// Gives what is known of a text by one probe, as a stream of its own.
@c @implementation
public func ap_streams_get(
    _ streams: OpaquePointer!, _ id: Int64, _ probe: Int64, _ stream: UnsafeMutablePointer<OpaquePointer?>!
) -> ap_status {
    status {
        let room = try unsafe place(stream, "stream")
        let known = try unsafe withStreams(streams) { try $0.streams.streams(Int(id)) }
        guard known.indices.contains(Int(probe)) else {
            throw ArgumentError("probe", expected: "a number from 0 to \(known.count - 1)", found: "\(probe)")
        }
        unsafe room.pointee = Handles.open(StreamTarget(known[Int(probe)]))
    }
}

/// Adds one token to each of several streams.
@c @implementation
public func ap_streams_step(
    _ streams: OpaquePointer!, _ ids: UnsafePointer<Int64>!, _ count: Int64, _ states: UnsafeRawPointer!,
    _ type: ap_type, _ width: Int64, _ stride: Int64, _ mask: UnsafePointer<UInt8>!,
    _ logits: UnsafePointer<ap_floats>!, _ probabilities: UnsafePointer<ap_floats>!
) -> ap_status {
    status {
        let target: StreamsTarget = try unsafe Handles.find(streams, "streams")
        let ids = try unsafe array(ids, count, "ids").map { Int($0) }
        let states = try unsafe States(
            states, type, tokens: count, width: width, stride: stride, "the step"
        ).matrix
        let mask = unsafe tokenMask(mask, ids.count)
        try target.state.withLock { state in
            let probes = state.streams.probes
            guard states.columns == probes[0].width else {
                throw ArgumentError(
                    "width", expected: "that of the probes, \(probes[0].width)", found: "\(states.columns)")
            }
            let logits = unsafe Array(try array(logits, Int64(probes.count), "logits"))
            let probabilities =
                unsafe probabilities == nil
                ? [] : unsafe Array(try array(probabilities, Int64(probes.count), "probabilities"))
            for (i, probe) in probes.enumerated() {
                unsafe try logits[i].check("logits[\(i)]", ids.count, probe.task.outputs)
                guard unsafe i < probabilities.count, unsafe probabilities[i].isWanted else { continue }
                guard probe.task.kind != .regression else {
                    throw ArgumentError(
                        "probabilities[\(i)]", expected: "a probe that classifies",
                        found: probe.configuration.summary)
                }
                unsafe try probabilities[i].check("probabilities[\(i)]", ids.count, probe.task.outputs)
            }
            var scratch: [Float] = []
            swap(&scratch, &state.scratch)
            defer { swap(&scratch, &state.scratch) }
            let found = try states.withRows(0..<ids.count, scratch: &scratch) { (rows) throws in
                try state.streams.step(ids, rows, mask: mask)
            }
            for (i, found) in found.enumerated() {
                unsafe logits[i].put(found.storage)
                guard unsafe i < probabilities.count, unsafe probabilities[i].isWanted else { continue }
                for row in 0..<found.rows {
                    let values = probes[i].probabilitiesOrNaN(found[row: row])
                    unsafe probabilities[i].put(values, at: row * values.count)
                }
            }
        }
    }
}

/// Ends a handle on streams.
@c @implementation
public func ap_streams_free(_ streams: OpaquePointer!) -> ap_status {
    status { try unsafe Handles.close(streams, as: StreamsTarget.self) }
}
