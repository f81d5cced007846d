import Foundation
import TestSupport
import Testing

@Suite("Tables and lists of ids from pipes")
struct PipeTests {
    private let folder: TemporaryFolder
    private let data: String
    private let table: String
    private let probe: String

    init() throws {
        folder = try TemporaryFolder()
        let file = LiteralActivations()
            .with("sequence_ids", "U8", [2], Array("mn".utf8))
            .with("sequence_ids_offsets", "I64", [3], integerBytes(0, 1, 2))
        data = try folder.write(file.file, to: "data.safetensors")
        table = try folder.write(Array("id,label,carrier\nn,no,a\nm,yes,b\n".utf8), to: "table.csv")
        probe = folder("probe.safetensors")
        #expect(try Command.run("train", data, "--kind", "mean", "--out", probe).status == 0)
    }

    // A shell, which has pipes; {tool}, {data}, {table} and {probe} stand for their paths.
    private func shell(_ script: String) throws -> CommandResult {
        let text = [
            ("{tool}", Command.tool.path), ("{data}", data), ("{table}", table), ("{probe}", probe),
        ].reduce(script) { $0.replacingOccurrences(of: $1.0, with: $1.1) }
        return try Command.run("/bin/bash", ["-c", text], in: folder.path)
    }

    // Every look at the table but the first finds what the first has read.
    @Test(
        arguments: [
            "{command} --labels - < {table}", "cat {table} | {command} --labels -",
            "cat {table} | {command} --labels /dev/stdin", "{command} --labels /dev/stdin < {table}",
            "{command} --labels <(cat {table})",
            "mkfifo fifo; cat {table} > fifo & {command} --labels fifo; wait",
        ])
    func labels(script: String) throws {
        for command in [
            "{tool} evaluate {probe} {data} --bootstrap 0 --json",
            "{tool} evaluate {probe} --data {data} {data} --by carrier --bootstrap 0 --json",
        ] {
            let file = try shell("\(command) --labels {table}")
            #expect(file.status == 0 && !file.output.isEmpty, "\(file)")
            let piped = try shell(
                "rm -f fifo; " + script.replacingOccurrences(of: "{command}", with: command))
            #expect(piped.status == 0 && piped.output == file.output, "\(piped)")
        }
    }

    @Test(arguments: ["echo n | {convert} --ids -", "{convert} --ids <(echo n)"])
    func ids(script: String) throws {
        let convert = "{tool} convert {data} --out out --json"
        let run = try shell(script.replacingOccurrences(of: "{convert}", with: convert))
        #expect(run.status == 0 && run.output.contains(#""sequences" : 1"#), "\(run)")
    }

    @Test func faults() throws {
        let twice = try shell("{tool} convert {data} --labels - --ids=- --out out < {table}")
        #expect(
            twice.status == 64
                && twice.error.contains("--ids: expected standard input (-) once, found it at --labels too")
                && twice.error.contains("See 'attnprobe convert --help'"),
            "\(twice)")
        // The same table under another name: it is not empty the second time.
        let lengths = try shell(
            "cat {table} | {tool} evaluate {probe} {data} --labels - --mask reply --prompt-lengths /dev/stdin"
        )
        #expect(
            lengths.status == 65 && lengths.error.contains("expected a column prompt_length"), "\(lengths)")
        let wrong = try shell("echo no,table | {tool} evaluate {probe} {data} --labels -")
        #expect(
            wrong.status == 65 && wrong.error.contains("standard input: the header: expected one column id"),
            "\(wrong)")
        let other = try shell("echo x | {tool} convert {data} --ids - --out out")
        #expect(
            other.status == 65 && other.error.contains("standard input: expected ids of the data, as m, n"))
        // It never ends.
        let device = try shell("{tool} evaluate {probe} {data} --labels /dev/zero")
        #expect(
            device.status == 65 && device.error.contains("/dev/zero: expected a file or a pipe"), "\(device)")
        let isFolder = try shell("{tool} evaluate {probe} {data} --labels .")
        #expect(isFolder.status == 65 && isFolder.error.contains("found a folder"), "\(isFolder)")
    }
}
