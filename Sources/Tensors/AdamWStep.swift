private import CKernels

extension Parallel {
    /// One step of AdamW (Loshchilov and Hutter, 2019) for some parameters, by `ck_adamw`: with gradient g
    ///
    ///     m ← β₁·m + (1 - β₁)·g          v ← β₂·v + (1 - β₂)·g²
    ///     θ ← θ - η·(m·first / (√(v·second) + ε) + λ·θ)
    ///
    /// with β₁ = 0.9, β₂ = 0.999 and ε = 1e-8. The same bits on any number of threads and with every instruction set.
    ///
    /// - Parameters:
    ///   - first: 1/(1 - β₁ᵗ) in step t; likewise `second` with β₂.
    ///   - rate: η.
    ///   - decay: λ.
    /// - Precondition: the range lies inside all four arrays.
    package static func stepAdamW(
        _ parameters: inout [Float], _ m: inout [Float], _ v: inout [Float], _ gradient: [Float],
        in range: Range<Int>, first: Float, second: Float, rate: Float, decay: Float, threads: Int
    ) {
        let starts = starts(of: range)
        let step = ck_adamw_step(first_scale: first, second_scale: second, rate: rate, decay: decay)
        unsafe v.withUnsafeMutableBufferPointer { v in
            precondition(range.upperBound <= v.count && range.upperBound <= gradient.count, "too few numbers")
            nonisolated(unsafe) let v = unsafe v
            _ = try! changeParts(
                of: &parameters, at: starts, and: &m, at: starts, threads: threads, workspace: { () }
            ) { part, parameters, m, _ in
                let (start, count) = (starts[part], parameters.count)
                unsafe parameters.withUnsafeMutableBufferPointer { parameters in
                    unsafe m.withUnsafeMutableBufferPointer { m in
                        unsafe gradient.withUnsafeBufferPointer { gradient in
                            guard let base = parameters.baseAddress else { return }
                            unsafe ck_adamw(
                                base, m.baseAddress!, v.baseAddress! + start, gradient.baseAddress! + start,
                                count,
                                step)
                        }
                    }
                }
            }
        }
    }
}
