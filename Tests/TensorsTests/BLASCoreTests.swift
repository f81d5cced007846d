@testable import Tensors
import Foundation
import TestSupport
import Testing

@Suite("OpenBLAS's core")
struct BLASCoreTests {
    @Test(
        arguments: [
            ("Prescott", 2, "SkylakeX"), ("Prescott", 1, "Haswell"), ("Prescott", 0, nil),
            ("Haswell", 2, "SkylakeX"),
            ("Zen", 2, "SkylakeX"), ("Zen", 1, nil), ("Haswell", 1, nil), ("SkylakeX", 2, nil),
            ("SapphireRapids", 2, nil), ("Cooperlake", 2, nil), ("Sandybridge", 1, "Haswell"),
            ("Barcelona", 2, "SkylakeX"), ("armv8", 3, nil), ("neoversen1", 3, nil), ("unknown", 3, nil),
        ] as [(String, Int, String?)])
    func isNotBelowTheProcessor(core: String, level: Int, better: String?) {
        #expect(BLAS.betterCore(than: core, level: level) == better)
    }

    /// A library before OpenBLAS that says it took an old core, unless the environment names one.
    private func run(_ environment: [String: String]) throws -> [String: Any] {
        let folder = try TemporaryFolder()
        let source = folder("core.c")
        try Data(
            """
            #include <stdlib.h>
            char *openblas_get_corename(void) {
                char *name = getenv("OPENBLAS_CORETYPE");
                return name ? name : "Prescott";
            }
            """.utf8
        ).write(to: URL(fileURLWithPath: source))
        let made = try Command.run(
            "/usr/bin/env", ["clang", "-shared", "-fPIC", "-o", folder("core.so"), source], in: folder(""))
        #expect(made.status == 0, "\(made.error)")
        let settings = environment.merging(["LD_PRELOAD": folder("core.so")]) { $1 }.map { "\($0)=\($1)" }
        let result = try Command.run(
            "/usr/bin/env",
            ["-u", "OPENBLAS_CORETYPE"] + settings + [Command.tool.path, "inspect", "--machine", "--json"],
            in: folder(""))
        #expect(result.status == 0 && result.error.isEmpty, "\(result.error)")
        return try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any] ?? [:]
    }

    @Test func theProgramStartsAnewWithABetterOne() throws {
        let machine = try run([:])
        // What the processor has, whatever the environment makes of it.
        let better = BLAS.betterCore(than: "Prescott", level: Projection.processorLevel)
        #expect(machine["openblas_core"] as? String == better ?? "Prescott")
        #expect(machine["advice"] == nil)
    }

    @Test func whatTheUserSetIsKept() throws {
        #expect(try run(["OPENBLAS_CORETYPE": "Nehalem"])["openblas_core"] as? String == "Nehalem")
    }
}
