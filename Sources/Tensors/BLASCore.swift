// OpenBLAS chooses kernels for a processor when it is loaded, by a list of processors that it knows. On one that is newer it may
// take those of a much older one, and multiply at a fifth of the speed. The environment variable OPENBLAS_CORETYPE names
// the right ones, if it is set before the process starts; a name that the processor cannot run would end the process.
private import Glibc

extension BLAS {
    /// Instruction sets by the level of a processor, those of x86-64 the least first, each with the core of OpenBLAS to ask
    /// for. Of the cores for AArch64 all use NEON, so that none is below it.
    private static let cores: [(instructionSet: String, name: String?, all: Set<String>)] = [
        ("the plain target", nil, []),
        ("AVX2", "Haswell", ["Haswell", "Zen", "Excavator"]),
        ("AVX-512", "SkylakeX", ["SkylakeX", "Cooperlake", "SapphireRapids"]),
        ("NEON", nil, []),
    ]

    /// What to set OPENBLAS_CORETYPE to, because OpenBLAS has taken a core below what the processor can do; nil where it has
    /// not, where the variable is set already, and of an OpenBLAS that has one core alone.
    package static var betterCore: String? {
        guard unsafe getenv("OPENBLAS_CORETYPE") == nil, configuration.contains("DYNAMIC_ARCH") else {
            return nil
        }
        return betterCore(than: coreName, level: Projection.processorLevel)
    }

    /// The same for any core and processor.
    ///
    /// - Parameter level: what the processor has: 3 for NEON, 2 for AVX-512, 1 for AVX2, 0 for none.
    static func betterCore(than name: String, level: Int) -> String? {
        let taken = cores.lastIndex { $0.all.contains(name) } ?? 0
        return taken < level ? cores[level].name : nil
    }

    /// Says what `betterCore` means, in a sentence; nil where there is none.
    package static var coreAdvice: String? {
        let taken =
            "OpenBLAS took its kernels for \(coreName), below the \(cores[Projection.processorLevel].instructionSet) of this "
            + "processor"
        if let asked = unsafe getenv("OPENBLAS_CORETYPE").map({ unsafe String(cString: $0) }) {
            // What OpenBLAS was asked for is nobody's fault; what it does not do is worth a word.
            let isOther = asked.lowercased() != coreName.lowercased()
            return isOther && betterCore(than: coreName, level: Projection.processorLevel) != nil
                ? "\(taken), although OPENBLAS_CORETYPE is \(asked)" : nil
        }
        return betterCore.map { "\(taken): set OPENBLAS_CORETYPE=\($0) before the process starts" }
    }

    /// Starts the program anew with the core that OpenBLAS should have taken; returns where there is none, or where it cannot.
    ///
    /// For programs, before they have done anything.
    package static func restartWithBetterCore() {
        guard let core = betterCore else { return }
        unsafe setenv("OPENBLAS_CORETYPE", core, 1)
        // By its own path, which the system then calls it by.
        var path = [CChar](repeating: 0, count: Int(PATH_MAX))
        if unsafe readlink("/proc/self/exe", &path, path.count - 1) > 0 {
            unsafe execv(path, CommandLine.unsafeArgv)
        }
        unsafe execv("/proc/self/exe", CommandLine.unsafeArgv)
        unsafe unsetenv("OPENBLAS_CORETYPE")
    }
}
