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
            candidates, training, task, journal: journal, call.running, callback.watch, farewell: { "" },
            looksForDuplicates: true)
        let rows = try selected.result.outOfFoldRows(training, by: selected.probe)
        try unsafe give(
            SelectedWithScores(summary: selected.summary(nil, outOfFold: nil), rows: rows), callback, result)
        selected.result.removeJournal()
        unsafe room.pointee = Handles.open(ProbeTarget(selected.probe))
    }
}

/// Does a share of the trainings that a selection has to do next.
@c @implementation
public func ap_select_share(
    _ data: OpaquePointer!, _ options: UnsafePointer<CChar>!, _ journal: UnsafePointer<CChar>!,
    _ share: Int64, _ shares: Int64, _ progress: ap_progress!, _ context: UnsafeMutableRawPointer!,
    _ result: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> ap_status {
    status {
        let data: DataTarget = try unsafe Handles.find(data, "data")
        let journal = try unsafe pathText(journal, "journal")
        guard shares >= 0, shares <= Int32.max else {
            throw ArgumentError("shares", expected: "0 or more", found: "\(shares)")
        }
        guard shares == 0 ? share == 0 : (0..<shares).contains(share) else {
            throw ArgumentError(
                "share", expected: shares == 0 ? "0" : "0 to \(shares - 1)", found: "\(share)")
        }
        let call = try unsafe CallOptions<LearningOptions>.parse(
            json: optionsText(options), adding: ["--select"], refusing: ofFiles)
        let callback = unsafe Callback(progress, context)
        let (training, task) = try call.options.lesson(data.data, callback.watch)
        let candidates = try call.options.candidates(task, training, note: callback.watch.note)
        let own = TrainingShare(Int(share), of: Int(shares))
        try ProbeSearch(
            call.options, candidates, training, task, call.running, callback.watch, farewell: { "" },
            looksForDuplicates: shares == 0
        ).train(own, journal: journal)
        try unsafe give(
            OpenTrainings(jobs: own.open.jobs, trainings: own.open.trainings), callback, result)
    }
}

// What was open for all shares.
private struct OpenTrainings: Encodable {
    let jobs, trainings: Int
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
