// Hidden states in the caller's memory, as the library's matrices and sets, in place.
import AttentionProbes
import AttentionProbesHeader
import Activations
import Tensors

/// Rows of hidden states, checked.
struct States {
    let matrix: TokenMatrix

    /// - Parameters:
    ///   - scales: what numbers of eight bits are multiplied with, one a token; nil for 1.
    ///   - mayBeFP8: whether numbers may have eight bits.
    ///   - name: what errors call the memory.
    init(
        _ states: UnsafeRawPointer?, _ type: ap_type, tokens: Int64, width: Int64, stride: Int64,
        scales: UnsafePointer<Float>? = nil, mayBeFP8: Bool = false, _ name: String
    ) throws(ArgumentError) {
        func fault(_ field: String, _ expected: String, _ found: String) -> ArgumentError {
            ArgumentError("\(name): \(field)", expected: expected, found: found)
        }
        let elementType = try ElementType(type, mayBeFP8: mayBeFP8, "\(name): type")
        guard tokens >= 0 else { throw fault("tokens", "0 or more", "\(tokens)") }
        guard width >= 1, width <= 1 << 40 else { throw fault("width", "1 or more", "\(width)") }
        let rowSize = width * Int64(elementType.size)
        let stride = stride == 0 ? rowSize : stride
        guard stride >= rowSize else {
            throw fault("stride", "0, or at least the \(rowSize) bytes of a row", "\(stride)")
        }
        let (size, overflow) = stride.multipliedReportingOverflow(by: tokens)
        guard !overflow, size <= Int64.max / 2 else {
            throw fault("tokens", "rows that fit in memory", "\(tokens)")
        }
        guard let states = unsafe states else { throw fault("states", "\(tokens)×\(width) numbers", "NULL") }
        let bytes = unsafe UnsafeRawBufferPointer(
            start: states, count: tokens == 0 ? 0 : Int(size - stride + rowSize))
        let hasScales = unsafe elementType.mayHaveScales && scales != nil
        matrix = unsafe TokenMatrix(
            lending: bytes, elementType: elementType, rows: Int(tokens), columns: Int(width),
            stride: Int(stride),
            scales: hasScales ? Array(try array(scales, tokens, "\(name): scales")) : nil,
            name: name)
    }
}

extension ap_batch {
    /// The batch as the library has it.
    ///
    /// - Throws: `ArgumentError`, `DataError`.
    func batch(_ name: String) throws -> RaggedBatch {
        func fault(_ field: String, _ expected: String, _ found: String) -> ArgumentError {
            ArgumentError("\(name): \(field)", expected: expected, found: found)
        }
        let states = unsafe try States(
            self.states, type, tokens: tokens, width: width, stride: stride, scales: scales, mayBeFP8: true,
            name)
        guard unsafe sequences >= 1 else { throw fault("sequences", "1 or more", "\(unsafe sequences)") }
        let mask = unsafe tokenMask(self.mask, states.matrix.rows)
        do {
            if let ends = unsafe ends {
                let starts = unsafe try array(offsets, sequences, "\(name): offsets")
                let ends = unsafe try array(ends, sequences, "\(name): ends")
                var rows: [Range<Int>] = []
                rows.reserveCapacity(starts.count)
                for i in starts.indices {
                    let (start, end) = unsafe (Int(starts[i]), Int(ends[i]))
                    guard start <= end else {
                        throw fault("ends[\(i)]", "at least \(start), where sequence \(i) starts", "\(end)")
                    }
                    rows.append(start..<end)
                }
                return unsafe try checked(
                    RaggedBatch(tokens: states.matrix, rows: rows, tokenMask: mask), name)
            }
            guard unsafe sequences < Int64.max else {
                throw fault("sequences", "fewer", "\(unsafe sequences)")
            }
            let offsets = unsafe try array(self.offsets, sequences + 1, "\(name): offsets").map { Int($0) }
            return unsafe try checked(
                RaggedBatch(tokens: states.matrix, offsets: offsets, tokenMask: mask), name)
        } catch let fault as RaggedBatch.Fault {
            throw DataError(fault, name)
        }
    }

    // A batch whose tokens have scales that can be; O(tokens) for FP8.
    private func checked(_ batch: RaggedBatch, _ name: String) throws -> RaggedBatch {
        let type = batch.tokens.elementType
        guard type.mayHaveScales, unsafe scales != nil else { return batch }
        for sequence in 0..<batch.count {
            let rows = batch.rows(sequence)
            let found = batch.tokens.scales(rows)
            guard let bad = found.firstIndex(where: { !type.allows(scale: $0) }) else { continue }
            throw DataError(
                .metadata, name, "sequence \(sequence), token \(bad)",
                expected: type.wantedScale, found: "\(found[bad])")
        }
        return batch
    }
}

extension ElementType {
    /// - Throws: `ArgumentError` where numbers are not read in this type.
    ///
    /// - Parameter mayBeFP8: whether they may have eight bits.
    init(_ type: ap_type, mayBeFP8: Bool = false, _ name: String) throws(ArgumentError) {
        let expected = "AP_F32, AP_F16\(mayBeFP8 ? ", AP_BF16, AP_F8_E4M3 or AP_F8_E5M2" : " or AP_BF16")"
        switch type {
        case AP_F32: self = .f32
        case AP_F16: self = .f16
        case AP_BF16: self = .bf16
        case AP_F64:
            throw ArgumentError(
                name, expected: "float32, float16 or bfloat16",
                found: "float64; convert it, to float32 for instance")
        case AP_F8_E4M3 where mayBeFP8: self = .f8E4M3
        case AP_F8_E5M2 where mayBeFP8: self = .f8E5M2
        default: throw ArgumentError(name, expected: expected, found: "\(type.rawValue)")
        }
    }
}
