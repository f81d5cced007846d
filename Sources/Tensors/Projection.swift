private import CKernels

/// A few weight rows, R×D, made ready to be multiplied with the tokens of many sequences:
/// z[r, j] = x_j · w_r.
///
/// One tall `cblas_sgemm` is the slow way to do this, because it copies all of X into packed form
/// first. Three plans are there, with the same result up to rounding:
///
/// - `panels` (R > 4) and `rows` (R ≤ 4): C kernels that read X once from memory and keep a block of
///   tokens against up to 32 weight rows in registers. Taken where the processor has AVX2, AVX-512 or NEON.
/// - `gemm`: `cblas_sgemm` on token tiles; always there, and what the others are tested against.
package struct Projection: Sendable {
    /// How the product is computed.
    package enum Plan: Sendable, CaseIterable {
        /// C kernel, 8 to 32 weight rows a pass, interleaved.
        case panels
        /// C kernel, up to 4 weight rows a pass, as they are.
        case rows
        /// `cblas_sgemm` a tile.
        case gemm

        /// The fastest plan for R weight rows on this processor.
        package static func best(rows: Int) -> Plan {
            guard ck_has_fast_kernels() else { return .gemm }
            return rows <= 4 ? .rows : .panels
        }
    }

    /// What the kernels are compiled for and this processor has: "AVX-512", "AVX2", "NEON", or "plain" for the
    /// target's own; "BLAS" where the environment asks for products by `cblas_sgemm`.
    package static var instructionSet: String {
        usesBLAS ? "BLAS" : kernelSet
    }

    /// The same of all that is no product.
    package static var kernelSet: String { ["plain", "AVX2", "AVX-512", "NEON"][Int(ck_level())] }

    /// Says that the environment asks for kernels that there are not, which nobody then gets; nil where it does not.
    package static var unknownKernels: String? {
        unsafe ck_unknown_kernels().map { name in
            unsafe "ATTENTION_PROBES_KERNELS: expected avx512, avx2, neon, plain or blas, found \(String(cString: name))"
        }
    }

    /// Whether products are `cblas_sgemm` on token tiles in place of our own kernels, from now on: at first what
    /// ATTENTION_PROBES_KERNELS=blas says. To compare the two.
    package static var usesBLAS: Bool {
        get { ck_blas_is_wanted() }
        set { ck_want_blas(newValue) }
    }

    /// What the processor has, whatever the environment asks for: 3 for NEON, 2 for AVX-512, 1 for AVX2, 0 for none.
    package static var processorLevel: Int { Int(ck_processor_level()) }

    /// R, the number of weight rows.
    package let rows: Int
    /// D, the width of a token.
    package let width: Int
    /// How it is computed.
    package let plan: Plan
    // R×D row-major for `rows` and `gemm`; for `panels` blocks of D×16, zeros at the end, the last of D×8 where
    // 8 rows are left at most. The first is at `start`, which begins a line of the cache: a product with 16 rows was a
    // tenth slower where every vector of weights crossed two.
    private let weights: [Float]
    private let start: Int

    private static let panelColumns = Int(CK_PANEL_COLUMNS)
    private static let halfPanelColumns = Int(CK_HALF_PANEL_COLUMNS)
    private static let rowColumns = 4

    /// Prepares weights, R×D row-major. O(R·D).
    ///
    /// - Parameter plan: nil for the fastest.
    package init(_ weights: ArraySlice<Float>, rows: Int, width: Int, plan: Plan? = nil) {
        precondition(weights.count == rows * width, "\(weights.count) weights for \(rows)×\(width)")
        self.rows = rows
        self.width = width
        self.plan = plan ?? .best(rows: rows)
        guard self.plan == .panels else {
            self.weights = Array(weights)
            start = 0
            return
        }
        let half = Self.halfPanelColumns
        var panels = [Float](repeating: 0, count: (rows + half - 1) / half * half * width + 15)
        let start = panels.firstInLine
        for first in stride(from: 0, to: rows, by: Self.panelColumns) {
            let (base, left) = (start + first * width, rows - first)
            let columns = left <= half ? half : Self.panelColumns
            for column in 0..<min(left, columns) {
                let row = weights.startIndex + (first + column) * width
                for d in 0..<width { panels[base + d * columns + column] = weights[row + d] }
            }
        }
        (self.weights, self.start) = (panels, start)
    }

    /// z[r, j] = x_j · w_r for every unmasked token j of a sequence; z is R×n, row-major.
    ///
    /// - Precondition: `z` holds at least R·n elements, and the widths agree.
    package func apply(_ sequence: TokenSequence, into z: inout [Float], scratch: inout [Float]) {
        precondition(sequence.width == width, "tokens of width \(sequence.width), weights of \(width)")
        let count = sequence.count
        z.grow(to: rows * count)
        if plan == .gemm {
            sequence.forEachTile(rows: rows, scratch: &scratch) { range, tokens in
                applyGemm(tokens, count: range.count, into: &z, at: range.lowerBound, stride: count)
            }
        } else {
            sequence.forEachStoredTile(rows: rows, scratch: &scratch) { range, tokens in
                applyKernel(tokens, count: range.count, into: &z, at: range.lowerBound, stride: count)
            }
        }
    }

    /// The same for some of the unmasked tokens, which are one tile; z is R×range.count from element `start` on.
    ///
    /// - Precondition: `z` holds as many elements, and the widths agree.
    package func apply(
        _ sequence: TokenSequence, _ range: Range<Int>, into z: inout [Float], at start: Int,
        scratch: inout [Float]
    ) {
        precondition(sequence.width == width, "tokens of width \(sequence.width), weights of \(width)")
        if plan == .gemm {
            sequence.withTokens(range, scratch: &scratch) {
                applyGemm($0, count: range.count, into: &z, at: start, stride: range.count)
            }
        } else {
            sequence.withStoredTokens(range, rows: rows, scratch: &scratch) {
                applyKernel($0, count: range.count, into: &z, at: start, stride: range.count)
            }
        }
    }

    /// Tokens that a tile should have at the most where there are many: so many stay in a core's cache.
    package var tileSize: Int { TokenSequence.tileSize(width: width, rows: rows) }

    /// z[r, j] = x_j · w_r for a tile of tokens, count×D; z is R×count, row-major.
    ///
    /// - Precondition: the tile holds that many tokens.
    package func apply(_ tile: Span<Float>, count: Int, into z: inout [Float]) {
        z.grow(to: rows * count)
        if plan == .gemm {
            applyGemm(tile, count: count, into: &z, at: 0, stride: count)
        } else {
            applyKernel(StoredRows(tile, columns: width), count: count, into: &z, at: 0, stride: count)
        }
    }

    private func applyGemm(
        _ tokens: Span<Float>, count: Int, into z: inout [Float], at start: Int, stride: Int
    ) {
        var out = z.mutableSpan
        BLAS.gemm(
            .no, .yes, m: rows, n: count, k: width, a: weights.span, aStride: width,
            b: tokens, bStride: width, c: &out, at: start, cStride: stride)
    }

    private func applyKernel(
        _ tokens: StoredRows, count: Int, into z: inout [Float], at start: Int, stride: Int
    ) {
        precondition(z.count >= start + (rows - 1) * stride + count)
        unsafe tokens.withStates(count, columns: width) { states in
            unsafe z.withUnsafeMutableBufferPointer { z in
                unsafe weights.withUnsafeBufferPointer { w in
                    let (w, z) = unsafe (w.baseAddress!, z.baseAddress! + start)
                    if plan == .panels {
                        unsafe ck_project_panels(states, count, width, w + self.start, rows, z, stride)
                        return
                    }
                    for first in Swift.stride(from: 0, to: rows, by: Self.rowColumns) {
                        let columns = min(Self.rowColumns, rows - first)
                        unsafe ck_project_rows(
                            states, count, width, w + first * width, columns, z + first * stride, stride)
                    }
                }
            }
        }
    }
}
