public import AttentionProbesHeader
import AttentionProbes
import FoundationEssentials
import ProbeCommands

/// A result with what was said on the way.
struct Noted<Result: Encodable>: Encodable {
    let result: Result
    let notes: [String]

    private enum CodingKeys: String, CodingKey { case notes }

    func encode(to encoder: any Encoder) throws {
        try result.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(notes, forKey: .notes)
    }
}

/// Gives a caller a result as JSON, where it is wanted.
func give(
    _ result: some Encodable, _ callback: Callback,
    _ room: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) throws {
    guard let room = unsafe room else { return }
    unsafe room.pointee = try Texts.give(Noted(result: result, notes: callback.notes).json())
}

/// Judges a probe.
@c @implementation
public func ap_evaluate(
    _ probe: OpaquePointer!, _ data: OpaquePointer!, _ options: UnsafePointer<CChar>!,
    _ progress: ap_progress!,
    _ context: UnsafeMutableRawPointer!, _ result: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> ap_status {
    status {
        let target: ProbeTarget = try unsafe Handles.find(probe, "probe")
        let data: DataTarget = try unsafe Handles.find(data, "data")
        let call = try unsafe CallOptions<EvaluationOptions>.parse(json: optionsText(options))
        let callback = unsafe Callback(progress, context)
        let judgement = try call.options.judge(
            target.probe, "the probe", data.data, call.running, callback.watch, allTokens: true)
        try unsafe give(judgement, callback, result)
    }
}

/// Judges a probe beside controls.
@c @implementation
public func ap_evaluate_controls(
    _ probe: OpaquePointer!, _ data: OpaquePointer!, _ training: OpaquePointer!,
    _ options: UnsafePointer<CChar>!, _ progress: ap_progress!,
    _ context: UnsafeMutableRawPointer!, _ result: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> ap_status {
    status {
        let target: ProbeTarget = try unsafe Handles.find(probe, "probe")
        let data: DataTarget = try unsafe Handles.find(data, "data")
        let training: DataTarget = try unsafe Handles.find(training, "training")
        let call = try unsafe CallOptions<ControlledEvaluationOptions>.parse(json: optionsText(options))
        let callback = unsafe Callback(progress, context)
        let judgement = try call.options.judge(
            target.probe, "the probe", data.data, training: training.data, call.running, callback.watch)
        try unsafe give(judgement, callback, result)
    }
}

/// Judges a probe by scores that are known.
@c @implementation
public func ap_evaluate_scores(
    _ probe: OpaquePointer!, _ data: OpaquePointer!, _ scores: UnsafePointer<ap_scores>!,
    _ options: UnsafePointer<CChar>!, _ progress: ap_progress!, _ context: UnsafeMutableRawPointer!,
    _ result: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> ap_status {
    status {
        let target: ProbeTarget = try unsafe Handles.find(probe, "probe")
        let data: DataTarget = try unsafe Handles.find(data, "data")
        guard let scores = unsafe scores?.pointee else {
            throw ArgumentError("scores", expected: "scores", found: "NULL")
        }
        let call = try unsafe CallOptions<EvaluationOptions>.parse(json: optionsText(options))
        let callback = unsafe Callback(progress, context)
        let judgement = try unsafe call.options.judge(
            scores.scores(target.probe, data.data.count), of: target.probe, "the probe", data.data,
            call.running,
            callback.watch)
        try unsafe give(judgement, callback, result)
    }
}

/// Fits probabilities and a threshold.
@c @implementation
public func ap_calibrate(
    _ probe: OpaquePointer!, _ data: OpaquePointer!, _ options: UnsafePointer<CChar>!,
    _ progress: ap_progress!,
    _ context: UnsafeMutableRawPointer!, _ calibrated: UnsafeMutablePointer<OpaquePointer?>!,
    _ result: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> ap_status {
    status {
        let room = try unsafe place(calibrated, "calibrated")
        let target: ProbeTarget = try unsafe Handles.find(probe, "probe")
        let data: DataTarget = try unsafe Handles.find(data, "data")
        let call = try unsafe CallOptions<CalibrationOptions>.parse(json: optionsText(options))
        let callback = unsafe Callback(progress, context)
        let found = try call.options.calibrated(
            target.probe, "the probe", data.data, call.running, callback.watch)
        try unsafe give(found.summary(nil), callback, result)
        unsafe room.pointee = Handles.open(ProbeTarget(found.probe))
    }
}

/// Makes the page about a probe.
@c @implementation
public func ap_report(
    _ probe: OpaquePointer!, _ data: OpaquePointer!, _ options: UnsafePointer<CChar>!,
    _ name: UnsafePointer<CChar>!,
    _ progress: ap_progress!, _ context: UnsafeMutableRawPointer!,
    _ html: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> ap_status {
    status {
        let html = try unsafe place(html, "html")
        let target: ProbeTarget = try unsafe Handles.find(probe, "probe")
        let data: DataTarget = try unsafe Handles.find(data, "data")
        let name = unsafe name == nil ? "probe" : try unsafe text(name, "name")
        let call = try unsafe CallOptions<ReportOptions>.parse(json: optionsText(options))
        let callback = unsafe Callback(progress, context)
        let report = try call.options.report(
            target.probe, "the probe", title: name, data.data, call.running, callback.watch)
        unsafe html.pointee = Texts.give(report.html)
    }
}

/// Makes the page about a probe, with controls.
@c @implementation
public func ap_report_controls(
    _ probe: OpaquePointer!, _ data: OpaquePointer!, _ training: OpaquePointer!,
    _ options: UnsafePointer<CChar>!, _ name: UnsafePointer<CChar>!,
    _ progress: ap_progress!, _ context: UnsafeMutableRawPointer!,
    _ html: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> ap_status {
    status {
        let html = try unsafe place(html, "html")
        let target: ProbeTarget = try unsafe Handles.find(probe, "probe")
        let data: DataTarget = try unsafe Handles.find(data, "data")
        let training: DataTarget = try unsafe Handles.find(training, "training")
        let name = unsafe name == nil ? "probe" : try unsafe text(name, "name")
        let call = try unsafe CallOptions<ControlledReportOptions>.parse(json: optionsText(options))
        let callback = unsafe Callback(progress, context)
        let report = try call.options.report(
            target.probe, "the probe", title: name, data.data, training: training.data, call.running,
            callback.watch)
        unsafe html.pointee = Texts.give(report.html)
    }
}
