import Foundation
import AttentionProbes

/// What is measured on, and its limits.
struct Machine: Encodable {
    let processor: String
    let blas_core: String
    let blas: String
    /// Instruction set of this library's kernels.
    let kernels: String
    let threads: Int
    /// Build of this program.
    let flags = "swift build -c release"
    /// Bytes a second at which `threads` threads read memory (`cblas_sdot` over 800 MB).
    let bandwidth: Double
    /// The same with one thread.
    let bandwidth_one_thread: Double
    /// Operations a second of square `cblas_sgemm`s, one a thread.
    let sgemm_peak: Double
    /// Operations a second of this library's own kernel on tokens in cache, 128 weight rows.
    let kernel_peak: Double

    /// The larger of the two peaks.
    var peak: Double { max(sgemm_peak, kernel_peak) }

    init(threads: Int) throws {
        let info = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        func field(_ name: String) -> String? {
            info.split(separator: "\n").first { $0.hasPrefix(name) }
                .map { String($0.drop { $0 != ":" }.dropFirst(2)) }
        }
        processor = field("model name") ?? "unknown"
        blas_core = BLAS.coreName
        blas = BLAS.configuration
        kernels = Projection.instructionSet
        self.threads = threads
        let timings = try interleaved(
            5, [Self.read(threads), Self.multiply(threads), try Self.project(threads), Self.read(1)])
        bandwidth = Double(Self.numbers * 4) / timings[0].least
        bandwidth_one_thread = Double(Self.numbers * 4) / timings[3].least
        sgemm_peak = 2 * Double(Self.order * Self.order * Self.order * threads) / timings[1].least
        kernel_peak = Self.projectOperations * Double(threads) / timings[2].least
    }

    /// The least time for so many bytes and operations here.
    func roofline(bytes: Double, operations: Double) -> Double { max(bytes / bandwidth, operations / peak) }

    private static let numbers = 200 << 20
    private static let order = 1536

    private static func read(_ threads: Int) -> Variant {
        let values = [Float](repeating: 1, count: numbers)
        let chunk = 1 << 20
        return Variant("read") {
            _ = try Parallel.map(count: numbers / chunk, threads: threads) { i in
                let part = values[i * chunk..<(i + 1) * chunk]
                return BLAS.dot(part, part)
            }
        }
    }

    private static func multiply(_ threads: Int) -> Variant {
        let n = order
        let a = [Float](repeating: 0.5, count: n * n)
        return Variant("sgemm") {
            _ = try Parallel.map(count: threads, threads: threads) { _ in
                var c = [Float](repeating: 0, count: n * n)
                var out = c.mutableSpan
                BLAS.gemm(
                    .no, .no, m: n, n: n, k: n, a: a.span, aStride: n, b: a.span, bStride: n, c: &out,
                    cStride: n)
                return c[0]
            }
        }
    }

    private static let (tokens, width, rows, repeats) = (96, 512, 128, 400)
    private static var projectOperations: Double { 2 * Double(tokens * width * rows * repeats) }

    private static func project(_ threads: Int) throws -> Variant {
        let projection = Projection(
            [Float](repeating: 0.5, count: rows * width)[...], rows: rows, width: width)
        let batch = try RaggedBatch([[Float](repeating: 0.5, count: tokens * width)], width: width)
        return Variant("kernel") {
            _ = try Parallel.map(count: threads, threads: threads) { _ in
                var (z, scratch): ([Float], [Float]) = ([], [])
                for _ in 0..<repeats { projection.apply(batch[0], into: &z, scratch: &scratch) }
                return z[0]
            }
        }
    }
}

extension Machine {
    var heading: String {
        func giga(_ value: Double) -> String { String(format: "%.0f", value * 1e-9) }
        return """
            \(processor), \(threads) \(threads == 1 ? "thread" : "threads"); \(flags)
            OpenBLAS core \(blas_core) (\(blas.split(separator: " ").prefix(2).joined(separator: " "))), \
            our kernels \(kernels)
            reads \(giga(bandwidth)) GB/s, \(giga(bandwidth_one_thread)) with one thread; \
            sgemm \(giga(sgemm_peak)), our kernel \(giga(kernel_peak)) GFLOP/s
            """ + (MachineInfo().advice.map { "\n\($0)" } ?? "")
    }
}
