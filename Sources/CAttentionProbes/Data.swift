public import AttentionProbesHeader
import Activations
import AttentionProbes
import ProbeCommands
import Tensors

/// What an `ap_data` stands for.
final class DataTarget: HandleTarget {
    static let title = "data"
    let data: ActivationSet
    let notes: [String]

    init(_ data: ActivationSet, notes: [String] = []) { (self.data, self.notes) = (data, notes) }
}

/// Makes data of what is in the memory of the caller.
@c @implementation
public func ap_data_create(
    _ batch: UnsafePointer<ap_batch>!, _ known: UnsafePointer<ap_known>!,
    _ data: UnsafeMutablePointer<OpaquePointer?>!
) -> ap_status {
    status {
        let data = try unsafe place(data, "data")
        guard let batch = unsafe batch else {
            throw ArgumentError("batch", expected: "a batch", found: "NULL")
        }
        let name =
            try unsafe known?.pointee.name.map { try unsafe text($0, "name") } ?? "activations in memory"
        let sequences = try unsafe batch.pointee.batch(name)
        let file = try unsafe known?.pointee.file(sequences, name) ?? ActivationFile(sequences, name: name)
        unsafe data.pointee = Handles.open(DataTarget(try ActivationSet([file])))
    }
}

extension ap_known {
    // The batch with all that is known of it.
    fileprivate func file(_ batch: RaggedBatch, _ name: String) throws -> ActivationFile {
        let n = Int64(batch.count)
        let names =
            unsafe class_names == nil
            ? nil : unsafe try texts(class_names, class_count, "class_names")
        if let names, Set(names).count < names.count || names.count < 2 {
            throw ArgumentError(
                "class_names", expected: "two or more different names", found: names.joined(separator: ", "))
        }
        return unsafe try ActivationFile(
            batch, targets: targets(n, names, name), classes: names,
            groups: optional(unsafe groups, n, "groups") { Int($0) },
            weights: unsafe weights(n, name),
            ids: unsafe ids == nil ? nil : unsafe texts(ids, n, "ids"),
            tokenTexts: unsafe token_texts == nil
                ? nil : unsafe texts(token_texts, Int64(batch.tokens.rows), "token_texts"),
            name: name)
    }

    private func targets(_ n: Int64, _ names: [String]?, _ name: String) throws -> Targets? {
        guard unsafe classes == nil || values == nil else {
            throw ArgumentError("classes", expected: "classes or values, not both", found: "both")
        }
        if let classes = unsafe try optional(unsafe classes, n, "classes", { Int($0) }) {
            if let names, let bad = classes.firstIndex(where: { !names.indices.contains($0) }) {
                throw DataError(
                    .labels, name, "label \(bad)", expected: "the index of one of \(names.count) classes",
                    found: "\(classes[bad])")
            }
            return .classes(classes)
        }
        guard unsafe values != nil else { return nil }
        let columns = unsafe value_count
        let (count, overflow) = n.multipliedReportingOverflow(by: columns)
        guard columns >= 1, !overflow else {
            throw ArgumentError("value_count", expected: "1 or more", found: "\(columns)")
        }
        let values = unsafe try Array(array(values, count, "values"))
        if let bad = values.firstIndex(where: { !$0.isFinite }) {
            throw DataError(
                .labels, name, "label \(bad / Int(columns))", expected: "a finite number",
                found: "\(values[bad])")
        }
        return .values(Matrix(rows: Int(n), columns: Int(columns), storage: values))
    }

    private func weights(_ n: Int64, _ name: String) throws -> [Float]? {
        let weights = unsafe try optional(unsafe self.weights, n, "weights") { $0 }
        if let bad = weights?.firstIndex(where: { !($0 > 0 && $0.isFinite) }) {
            throw DataError(
                .shape, name, "weight \(bad)", expected: "a number above 0", found: "\(weights![bad])")
        }
        return weights
    }

    private func optional<T, R>(
        _ pointer: UnsafePointer<T>?, _ count: Int64, _ name: String, _ convert: (T) -> R
    ) throws(ArgumentError) -> [R]? {
        guard unsafe pointer != nil else { return nil }
        return unsafe try array(pointer, count, name).map(convert)
    }
}

/// Texts of an array, all of which must be there.
func texts(
    _ pointer: UnsafePointer<UnsafePointer<CChar>?>?, _ count: Int64, _ name: String
) throws(ArgumentError) -> [String] {
    let pointers = unsafe try array(pointer, count, name)
    var texts: [String] = []
    texts.reserveCapacity(pointers.count)
    for i in pointers.indices { texts.append(try unsafe text(pointers[i], "\(name)[\(i)]")) }
    return texts
}

/// Opens activation files, or folders of them.
@c @implementation
public func ap_data_open(
    _ paths: UnsafePointer<UnsafePointer<CChar>?>!, _ count: Int64, _ options: UnsafePointer<CChar>!,
    _ data: UnsafeMutablePointer<OpaquePointer?>!
) -> ap_status {
    status {
        let data = try unsafe place(data, "data")
        let pointers = try unsafe array(paths, count, "paths")
        let paths = try pointers.indices.map { try unsafe pathText(pointers[$0], "paths[\($0)]") }
        guard !paths.isEmpty else { throw ArgumentError("paths", expected: "at least one", found: "none") }
        let call = try unsafe CallOptions<DataOptions>.parse(json: optionsText(options), refusing: ["seed"])
        var notes: [String] = []
        let set = try call.options.open(paths, call.running) { notes.append($0) }
        unsafe data.pointee = Handles.open(DataTarget(set, notes: notes))
    }
}

/// Options as JSON; empty where there are none.
func optionsText(_ options: UnsafePointer<CChar>?) throws(ArgumentError) -> String {
    unsafe options == nil ? "" : try unsafe text(options, "options")
}

/// Says what is known of data, as JSON.
@c @implementation
public func ap_data_describe(
    _ data: OpaquePointer!, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!
) -> ap_status {
    status {
        let json = try unsafe place(json, "json")
        let target: DataTarget = try unsafe Handles.find(data, "data")
        unsafe json.pointee = try Texts.give(DataDescription(target).json())
    }
}

/// Writes data as one activation file.
@c @implementation
public func ap_data_write(_ data: OpaquePointer!, _ path: UnsafePointer<CChar>!, _ type: ap_type) -> ap_status
{
    status {
        let target: DataTarget = try unsafe Handles.find(data, "data")
        let elementType = try ElementType(type, "type")
        try unsafe target.data.write(to: pathText(path, "path"), as: elementType)
    }
}

/// Ends a handle on data.
@c @implementation
public func ap_data_free(_ data: OpaquePointer!) -> ap_status {
    status { try unsafe Handles.close(data, as: DataTarget.self) }
}

// What is said of data.
private struct DataDescription: Encodable {
    let sequences, tokens, width: Int
    let type: String
    let classes: [String]?
    let labels: String?
    let groups, weights, ids, token_text: Bool
    let notes: [String]
    let left_out: LeftOutNames

    init(_ target: DataTarget) {
        let data = target.data
        (sequences, tokens, width) = (data.count, data.tokenCount, data.width)
        type = data.storedType.rawValue
        classes = data.classes
        labels =
            switch data.targets {
            case .classes: "classes"
            case .values: "values"
            case .probabilities: "probabilities"
            case nil: nil
            }
        (groups, weights, token_text) = (data.groups != nil, data.weights != nil, data.hasTokenText)
        ids = data.files.allSatisfy { $0.id(0) != nil }
        notes = target.notes
        left_out = LeftOutNames(data.leftOut)
    }
}
