/// What the library computes with on this machine.
public struct MachineInfo: Sendable, Codable, Equatable {
    /// What the library's own kernels are compiled for and the processor has: "AVX-512", "AVX2", "NEON", or "plain"; "BLAS"
    /// where ATTENTION_PROBES_KERNELS=blas gives all products to OpenBLAS.
    package let instructionSet: String
    /// The processor that OpenBLAS chose its kernels for: "Haswell", "SkylakeX", …
    package let openBLASCore: String
    /// OpenBLAS's version and how it was built (`openblas_get_config`).
    package let openBLAS: String
    /// How many threads are used unless fewer are asked for.
    package let threads: Int
    /// What to do where OpenBLAS has taken kernels below what the processor can do, and where the environment asks for kernels
    /// that there are not; nil where neither is so.
    public let advice: String?

    private enum CodingKeys: String, CodingKey {
        case threads, advice
        case instructionSet = "instruction_set"
        case openBLASCore = "openblas_core"
        case openBLAS = "openblas"
    }

    /// This machine.
    public init() {
        instructionSet = Projection.instructionSet
        openBLASCore = BLAS.coreName
        openBLAS = BLAS.configuration
        threads = Parallel.availableThreads
        let advice = [BLAS.coreAdvice, Projection.unknownKernels].compactMap(\.self)
        self.advice = advice.isEmpty ? nil : advice.joined(separator: "; ")
    }
}
