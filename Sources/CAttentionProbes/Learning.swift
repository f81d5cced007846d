public import AttentionProbesHeader
import AttentionProbes
import ProbeCommands

// Names that mean a file of the command line's own.
private let ofFiles: Set<String> = ["validation", "out-of-fold", "select"]

/// Fits a probe.
@c @implementation
public func ap_train(
    _ data: OpaquePointer!, _ validation: OpaquePointer!, _ options: UnsafePointer<CChar>!,
    _ progress: ap_progress!, _ context: UnsafeMutableRawPointer!,
    _ probe: UnsafeMutablePointer<OpaquePointer?>!,
    _ result: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> ap_status {
    status {
        let room = try unsafe place(probe, "probe")
        let data: DataTarget = try unsafe Handles.find(data, "data")
        let heldOut: DataTarget? =
            unsafe validation == nil ? nil : try unsafe Handles.find(validation, "validation")
        let call = try unsafe CallOptions<LearningOptions>.parse(
            json: optionsText(options), adding: heldOut == nil ? [] : ["--validation=data"], refusing: ofFiles
        )
        let callback = unsafe Callback(progress, context)
        let (training, task) = try call.options.lesson(data.data, callback.watch)
        let candidates = try call.options.candidates(task, training, note: callback.watch.note)
        let trained = try call.options.train(
            candidates[0], training, heldOut: heldOut?.data, task, call.running, callback.watch)
        if let warning = trained.warning { callback.watch.note(warning) }
        try unsafe give(trained.summary(nil), callback, result)
        unsafe room.pointee = Handles.open(ProbeTarget(trained.probe))
    }
}

/// Chooses a probe by cross-validation.
@c @implementation
public func ap_select(
    _ data: OpaquePointer!, _ options: UnsafePointer<CChar>!, _ journal: UnsafePointer<CChar>!,
    _ progress: ap_progress!, _ context: UnsafeMutableRawPointer!,
    _ probe: UnsafeMutablePointer<OpaquePointer?>!,
    _ result: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> ap_status {
    status {
        let room = try unsafe place(probe, "probe")
        let data: DataTarget = try unsafe Handles.find(data, "data")
        let journal = unsafe journal == nil ? nil : try unsafe pathText(journal, "journal")
        let call = try unsafe CallOptions<LearningOptions>.parse(
            json: optionsText(options), adding: ["--select"], refusing: ofFiles)
        let callback = unsafe Callback(progress, context)
        let (training, task) = try call.options.lesson(data.data, callback.watch)
        let candidates = try call.options.candidates(task, training, note: callback.watch.note)
        let selected = try call.options.select(
            candidates, training, task, journal: journal, call.running, callback.watch, farewell: "",
            looksForDuplicates: true)
        let rows = try selected.result.outOfFoldRows(training, by: selected.probe)
        try unsafe give(
            SelectedWithScores(summary: selected.summary(nil, outOfFold: nil), rows: rows), callback, result)
        selected.result.removeJournal()
        unsafe room.pointee = Handles.open(ProbeTarget(selected.probe))
    }
}

// What is said of a selection with the scores of every sequence by probes that did not see its fold.
private struct SelectedWithScores<Summary: Encodable, Rows: Encodable>: Encodable {
    let summary: Summary
    let rows: Rows

    private enum CodingKeys: String, CodingKey { case out_of_fold }

    func encode(to encoder: any Encoder) throws {
        try summary.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(rows, forKey: .out_of_fold)
    }
}
