import AttentionProbes
import Foundation
import TestSupport
import Testing

@Suite("tpc probes on the command line")
struct PolynomialTests {
    @Test func ordersAndEarlyExit() throws {
        let folder = try TemporaryFolder()
        let (data, probe) = (folder("data.safetensors"), folder("probe.safetensors"))
        try needleSet(count: 40, width: 4, needles: 3).write(to: data)
        let run = try Command.run(
            "train", data, "--kind", "tpc", "--order", "3", "--rank", "5", "--epochs", "20", "--out", probe)
        #expect(run.status == 0, "\(run)")
        let configuration = try Probe(path: probe).configuration
        #expect(configuration[.order] == 3 && configuration[.rank] == 5)
        // Random parameters, so that every order counts.
        let count = 5 + 2 * 5 * (4 + 1 + 1)
        let whole = Probe(
            configuration, width: 4, task: .binary(classes: ["a", "b"]),
            parameters: randomFloats(count, seed: 1))
        try whole.write(to: probe)
        let linear = Probe(.mean, width: 4, task: whole.task, parameters: Array(whole.parameters[..<5]))
        try linear.write(to: folder("mean.safetensors"))
        func logits(_ arguments: String...) throws -> [Double] {
            let run = try Command.start(["score"] + arguments + [data, "--format", "csv", "--quiet"]).wait()
            #expect(run.status == 0, "\(run)")
            let rows = run.output.split(whereSeparator: \.isNewline).dropFirst()
            #expect(rows.count == 40)
            return rows.map { Double($0.split(separator: ",")[1])! }
        }
        let (all, first) = (try logits(probe), try logits(folder("mean.safetensors")))
        #expect(zip(try logits(probe, "--max-order", "1"), first).allSatisfy { abs($0 - $1) < 1e-5 })
        let three = try logits(probe, "--max-order", "3")
        #expect(three == all)
        #expect(zip(all, first).contains { abs($0 - $1) > 1e-3 })
        let more = try Command.run("score", probe, data, "--max-order", "4")
        #expect(more.status == 64 && more.error.contains("the order of the probe, 3, found 4"), "\(more)")
        // As soon as one order is sure, and at the latest the last: with 0.5 each is after the first.
        #expect(try logits(probe, "--early-exit", "0.5") == logits(probe, "--max-order", "1"))
        for option in ["--max-order", "--early-exit"] {
            let value = option == "--max-order" ? "1" : "0.9"
            let run = try Command.run("score", folder("mean.safetensors"), data, option, value)
            #expect(run.status == 64 && run.error.contains("\(option): expected it only with a tpc probe"))
        }
    }
}
