import Foundation
import AttentionProbes

/// Files as a vLLM server writes them, one a request: `token_ids` and, in bfloat16, `hidden_states`
/// tokens×layers×D.
struct RequestDumps {
    let width: Int
    let layers: Int
    let lengths: ClosedRange<Int>

    /// Writes `count` files into a new folder; the bytes of all of them.
    func write(_ count: Int, to folder: String) throws -> Int {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        var generator = SeededGenerator(seed: 1)
        let token = 2 * layers * width
        // Requests begin at one of a hundred tokens of the same numbers: other scores for each length and start.
        let numbers = (0..<(lengths.upperBound + 100) * layers * width).map { _ in generator.normal() }
        let states = Data(narrow(numbers.span, as: .bf16))
        var total = 0
        for index in 0..<count {
            let tokens = Int.random(in: lengths, using: &generator)
            let file = request(tokens, states.dropFirst(index % 100 * token).prefix(tokens * token))
            try file.write(to: URL(fileURLWithPath: "\(folder)/\(index).safetensors"))
            total += file.count
        }
        return total
    }

    private func request(_ tokens: Int, _ states: Data) -> Data {
        let ids = 8 * tokens
        var header = """
            {"token_ids":{"dtype":"I64","shape":[\(tokens)],"data_offsets":[0,\(ids)]},\
            "hidden_states":{"dtype":"BF16","shape":[\(tokens),\(layers),\(width)],\
            "data_offsets":[\(ids),\(ids + states.count)]}}
            """
        header += String(repeating: " ", count: (8 - header.utf8.count % 8) % 8)
        return littleEndian(header.utf8.count) + Data(header.utf8) + Data((0..<tokens).flatMap(littleEndian))
            + states
    }

    private func littleEndian(_ number: Int) -> Data {
        Data(stride(from: 0, to: 64, by: 8).map { UInt8(truncatingIfNeeded: number >> $0) })
    }
}
