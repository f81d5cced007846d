import AttentionProbes
import Foundation
import Tensors

func time(_ body: () throws -> Void) rethrows -> Double {
    let start = DispatchTime.now().uptimeNanoseconds
    try body()
    return Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9
}
func gen(_ n: Int) -> [Float] { var g = SeededGenerator(seed: 1); return (0..<n).map { _ in g.normal() } }
for (D, H, O, T) in [
    (2304, 8, 1, 100_000), (768, 12, 1, 275_000), (4096, 8, 1, 51_000), (2304, 1, 1, 94_000),
    (768, 1, 1, 275_000), (768, 8, 1, 275_000), (4096, 1, 1, 51_000), (128, 12, 128, 552_000),
] {
    var offsets = [0]
    var g = SeededGenerator(seed: 2)
    while offsets.last! < T { offsets.append(min(T, offsets.last! + Int.random(in: 16...512, using: &g))) }
    var x = [Float](repeating: 0, count: T * D)
    let pat = gen(8191)
    for i in x.indices { x[i] = pat[i % 8191] }
    let data = try ActivationSet([
        ActivationFile(RaggedBatch(tokens: TokenMatrix(x, columns: D), offsets: offsets))
    ])
    let arch = AttentionArchitecture(width: D, outputs: O, heads: H)
    let task =
        O == 1 ? ProbeTask.binary(classes: ["a", "b"]) : .multiclass(classes: (0..<O).map(String.init))
    let probe = Probe(
        .attention(heads: H), width: D, task: task,
        parameters: gen(arch.tensors.parameterCount).map { $0 * 0.02 })
    let n = H * 2
    let w = gen(n * D)
    var z = [Float](repeating: 0, count: O == 1 ? T * n : 0)
    for threads in [1, 2] {
        var ours: [Double] = [], tall: [Double] = []
        for _ in 0..<5 {
            ours.append(try time { _ = try probe.scores(data, threads: threads) })
            if O == 1 {
                tall.append(
                    time {
                        var c = z.mutableSpan
                        BLAS.gemm(
                            .no, .yes, m: T, n: n, k: D, a: x.span, aStride: D, b: w.span, bStride: D, c: &c,
                            cStride: n)
                    })
            }
        }
        let a = ours.sorted()[2], b = O == 1 ? tall.sorted()[2] : 0
        print(
            "D \(D) H \(H) O \(O) threads \(threads): \(Int(a * 1000)) ms, \(Float(T * D * 4) / Float(a) * 1e-9) GB/s; tall (1 thread) \(Int(b * 1000)) ms ratio \(b / a)"
        )
    }
}
