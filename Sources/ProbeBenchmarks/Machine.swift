import Foundation
import Tensors

/// What is measured on, and its two limits.
struct Machine: Encodable {
    let processor: String
    let blas_core: String
    let blas: String
    let threads: Int
    /// Bytes a second at which `threads` threads read memory (`cblas_sdot` over 800 MB).
    let bandwidth: Double
    /// Operations a second of square `cblas_sgemm`s, one a thread.
    let peak: Double

    init(threads: Int) throws {
        let info = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let model = info.split(separator: "\n").first { $0.hasPrefix("model name") }
        processor = model.map { String($0.drop { $0 != ":" }.dropFirst(2)) } ?? "unknown"
        blas_core = BLAS.coreName
        blas = BLAS.configuration
        self.threads = threads

        let numbers = [Float](repeating: 1, count: 200_000_000)
        let chunk = 1 << 20
        let read = try interleaved(
            5,
            [
                {
                    _ = try Parallel.map(count: numbers.count / chunk, threads: threads) { i in
                        let part = numbers[i * chunk..<(i + 1) * chunk]
                        return BLAS.dot(part, part)
                    }
                }
            ])[0]
        bandwidth = Double(numbers.count / chunk * chunk * 4) / read.least

        let n = 1536
        let a = [Float](repeating: 0.5, count: n * n)
        let products = try interleaved(
            5,
            [
                {
                    _ = try Parallel.map(count: threads, threads: threads) { _ in
                        var c = [Float](repeating: 0, count: n * n)
                        var out = c.mutableSpan
                        BLAS.gemm(
                            .no, .no, m: n, n: n, k: n, a: a.span, aStride: n, b: a.span, bStride: n, c: &out,
                            cStride: n)
                        return c[0]
                    }
                }
            ])[0]
        peak = 2 * Double(n * n * n * threads) / products.least
    }

    /// The least time a workload can take here.
    func roofline(_ work: Workload) -> Double { max(work.bytes / bandwidth, work.operations / peak) }
}
