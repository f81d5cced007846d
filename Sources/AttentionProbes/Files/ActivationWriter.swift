// Writes the activation files that ActivationFile.swift reads: `hidden_states` last, so that they can
// follow the small tensors as they come.
private import Foundation
public import Tensors

extension ActivationFile {
    /// Writes the sequences of a batch with their labels, tile by tile: nothing is converted as a
    /// whole. Hidden tokens of a masked batch are left out, and positions close up.
    ///
    /// - Parameter type: how hidden states are stored; rounded to nearest, ties to even.
    /// - Throws: `SystemError` where the file cannot be written; `DataError` where a finite number is
    ///   too large for `type`.
    public static func write(
        _ batch: RaggedBatch, targets: Targets? = nil, classes: [String]? = nil, groups: [Int]? = nil,
        as type: ElementType = .f32, to path: String
    ) throws {
        precondition(targets.map { $0.count == batch.count } ?? true, "one target a sequence")
        precondition(groups.map { $0.count == batch.count } ?? true, "one group a sequence")
        var metadata = ["format": fileFormat, "version": "1"]
        metadata["classes"] = try classes.map(JSONList.encode)
        var writer = SafetensorsWriter(metadata: metadata)
        var offsets = [0]
        for index in 0..<batch.count { offsets.append(offsets[index] + batch[index].count) }
        writer.add("offsets", offsets, shape: [batch.count + 1])
        switch targets {
        case .classes(let classes): writer.add("labels", classes, shape: [batch.count])
        case .values(let values):
            writer.add("labels", values.storage, shape: [values.rows, values.columns])
        case nil: break
        }
        if let groups { writer.add("groups", groups, shape: [batch.count]) }
        let tokens = offsets[batch.count]
        let output = try OutputFile(path: path)
        var pending = try writer.bytes(before: "hidden_states", type, shape: [tokens, batch.width])
        var scratch: [Float] = []
        for index in 0..<batch.count {
            var overflows = false
            batch[index].forEachTile(scratch: &scratch) { _, tile in
                pending += narrow(tile, as: type)
                overflows = overflows || isOverflow(tile, as: type)
            }
            guard !overflows else {
                throw DataError(
                    .overflow, path, "sequence \(index)", expected: "numbers that \(type.rawValue) can hold",
                    found: "larger ones")
            }
            // The system keeps what is written at once in large pages, which are read back faster.
            if pending.count >= 16 << 20 {
                try output.write(pending)
                pending.removeAll(keepingCapacity: true)
            }
        }
        try output.write(pending)
        try output.commit()
    }

    // Whether a finite number would become infinite.
    private static func isOverflow(_ tile: Span<Float>, as type: ElementType) -> Bool {
        let limit: Float =
            switch type {
            case .f32: .infinity
            case .f16: 65520
            case .bf16: Float(bitPattern: 0x7f7f_8000)
            }
        guard type != .f32 else { return false }
        for i in tile.indices where tile[i].isFinite && abs(tile[i]) >= limit { return true }
        return false
    }
}
