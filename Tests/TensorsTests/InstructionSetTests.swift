import Foundation
import TestSupport
import Testing

@Suite("Instruction sets of the kernels")
struct InstructionSetTests {
    // Code for a feature that nobody asked the processor about ends the process. What is compiled for and what is
    // asked for are one list, so no attribute names a feature itself.
    @Test func everyFeatureThatCodeIsCompiledForIsAskedFor() throws {
        let folder = Command.package + "/Sources/CKernels"
        let files = try FileManager.default.contentsOfDirectory(atPath: folder).filter {
            $0.hasSuffix(".c") || $0.hasSuffix(".h")
        }
        var targets: [Substring] = []
        for file in files {
            let text = try String(contentsOfFile: "\(folder)/\(file)", encoding: .utf8)
            targets += text.matches(of: /target\(([A-Z0-9_]+|")/).map(\.output.1)
        }
        #expect(Set(targets) == ["CK_AVX512_FEATURES", "CK_AVX2_FEATURES"])
        let level = try String(contentsOfFile: folder + "/level.c", encoding: .utf8)
        for target in Set(targets) { #expect(level.contains("if (1 \(target)(IS_THERE))")) }
        let dispatch = try String(contentsOfFile: folder + "/dispatch.h", encoding: .utf8)
        #expect(dispatch.contains("FEATURE(f16c)"))
    }
}
