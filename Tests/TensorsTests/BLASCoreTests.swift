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

    /// A library before OpenBLAS that says it took an old core, unless the environment names one, or whatever that names.
    private func library(in folder: TemporaryFolder, obeys: Bool) throws -> String {
        let source = folder("core.c")
        try Data(
            """
            #include <stdlib.h>
            char *openblas_get_corename(void) {
                char *name = \(obeys ? "getenv(\"OPENBLAS_CORETYPE\")" : "0");
                return name ? name : "Prescott";
            }
            """.utf8
        ).write(to: URL(fileURLWithPath: source))
        let made = try Command.run(
            "/usr/bin/env", ["clang", "-shared", "-fPIC", "-o", folder("core.so"), source], in: folder(""))
        #expect(made.status == 0, "\(made.error)")
        return folder("core.so")
    }

    private func run(_ environment: [String: String], obeys: Bool = true) throws -> [String: Any] {
        let folder = try TemporaryFolder()
        let settings = environment.merging(["LD_PRELOAD": try library(in: folder, obeys: obeys)]) { $1 }.map {
            "\($0)=\($1)"
        }
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

    // It starts anew once, and says where that was of no use.
    @Test func whatDoesNotHelpIsSaid() throws {
        let machine = try run([:], obeys: false)
        let better = BLAS.betterCore(than: "Prescott", level: Projection.processorLevel)
        #expect(machine["openblas_core"] as? String == "Prescott")
        let advice = machine["advice"] as? String
        #expect(
            advice?.contains("although OPENBLAS_CORETYPE is") == (better == nil ? nil : true), "\(machine)")
    }

    // The system calls it what it is called.
    @Test func theProgramKeepsItsName() throws {
        let folder = try TemporaryFolder()
        let script = """
            env -u OPENBLAS_CORETYPE LD_PRELOAD=\(try library(in: folder, obeys: true)) \
                \(Command.tool.path) train \(Command.example("injection-train")) --out p --epochs 100000 2> error &
            for i in $(seq 600); do grep -q epoch error && break; sleep 0.1; done
            cat /proc/$!/comm; kill $!; wait
            """
        let run = try Command.run("/bin/bash", ["-c", script], in: folder.path)
        #expect(run.output == "attnprobe\n", "\(run)")
    }

    @Test func kernelsThatThereAreNotAreRefused() throws {
        let run = try Command.run(
            "/usr/bin/env", ["ATTENTION_PROBES_KERNELS=AVX2", Command.tool.path, "inspect", "--machine"],
            in: "/")
        #expect(run.status == 64 && run.error.contains("neon, plain or blas, found AVX2"), "\(run)")
    }

    @Test func whatTheUserSetIsKept() throws {
        #expect(try run(["OPENBLAS_CORETYPE": "Nehalem"])["openblas_core"] as? String == "Nehalem")
    }
}
