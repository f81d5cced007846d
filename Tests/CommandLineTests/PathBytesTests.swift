import Foundation
import TestSupport
import Testing

@Suite("Files and folders whose names are no UTF-8")
struct PathBytesTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        let named = LiteralActivations().with("sequence_ids", "U8", [2], Array("mn".utf8))
            .with("sequence_ids_offsets", "I64", [3], integerBytes(0, 1, 2))
        _ = try folder.write(named.file, to: "data.safetensors")
        _ = try folder.write(literalNumPy("'<f4'", "(1, 2)", floatBytes(1, 2)), to: "array.npy")
        _ = try folder.write(Array("id,label\nm,no\nn,yes\n".utf8), to: "table.csv")
        #expect(
            try Command.run(
                "train", folder("data.safetensors"), "--kind", "mean", "--out", folder("probe.safetensors")
            )
            .status == 0)
    }

    // Names come from a shell, which knows bytes; {tool} stands for the tool.
    private func shell(_ script: String) throws -> CommandResult {
        let text = script.replacingOccurrences(of: "{tool}", with: "'\(Command.tool.path)'")
        return try Command.run("/bin/bash", ["-e", "-o", "pipefail", "-c", text], in: folder.path)
    }

    @Test func argumentsOfEverySort() throws {
        let run = try shell(
            """
            mkdir $'d\\xff'
            cp data.safetensors $'d\\xff/a\\xe9.safetensors'
            cp table.csv $'t\\xe9.csv'
            cp probe.safetensors $'p\\xe9.safetensors'
            {tool} score $'p\\xe9.safetensors' $'d\\xff' > scores
            {tool} score probe.safetensors data.safetensors | cmp - scores
            {tool} evaluate $'p\\xe9.safetensors' $'d\\xff/a\\xe9.safetensors' --labels $'t\\xe9.csv' --bootstrap 0 --json > /dev/null
            {tool} train $'d\\xff' --kind mean --out $'new\\xe9.safetensors' 2> /dev/null
            {tool} score probe.safetensors $'d\\xff' --out $'s\\xe9.jsonl' 2> /dev/null
            cmp $'s\\xe9.jsonl' scores
            {tool} convert $'d\\xff' --shard-size 1GB --out $'out\\xe9' 2> /dev/null
            {tool} convert $'d\\xff' --shard-size 1GB --out $'out\\xe9' --resume 2> kept
            grep -q 'kept 1 file' kept
            cmp $'p\\xe9.safetensors' $'new\\xe9.safetensors' || true
            printf '%s\\n' *
            """)
        #expect(run.status == 0, "\(run)")
        #expect(try folder.names.count >= 9)
    }

    // A byte and what stands for one written out are two ids.
    @Test func namesThatLookLikeBytes() throws {
        let run = try shell(
            """
            cp array.npy $'caf\\xe9.npy'
            cp array.npy 'caf\\xE9.npy'
            cp array.npy 'a\\xZZ.npy'
            {tool} score probe.safetensors *.npy --format csv | tail -n +2 | cut -d , -f 1 | sort
            """)
        #expect(
            run.output.split(separator: "\n") == [#"a\xZZ"#, "array", #"caf\\xE9"#, #"caf\xE9"#], "\(run)")
    }

    // A row is called by its file's name, and so is a label that is for it.
    @Test func idsFromNames() throws {
        let run = try shell(
            """
            cp array.npy $'caf\\xe9.npy'
            {tool} score probe.safetensors $'caf\\xe9.npy' --format csv | tail -n 1 | cut -d , -f 1
            {tool} inspect $'caf\\xe9.npy' | head -n 1
            {tool} inspect --json $'caf\\xe9.npy' | grep path
            echo 'id,label' > labels.csv
            echo 'caf\\xE9,no' >> labels.csv
            {tool} convert $'caf\\xe9.npy' --labels labels.csv --out labelled 2>&1
            """)
        #expect(run.status == 0, "\(run)")
        let lines = run.output.split(separator: "\n").map(String.init)
        try #require(lines.count >= 4, "\(run)")
        #expect(lines[0] == #"caf\xE9"#)
        #expect(lines[1] == #"caf\xE9.npy: one sequence in .npy"#)
        #expect(lines[2].contains(#""caf\\xE9.npy""#))
        #expect(lines.last!.contains("wrote 1 sequence"), "\(run)")
    }

    @Test func faultsNameTheFile() throws {
        for (script, status, words) in [
            ("{tool} inspect $'no\\xe9.npy'", 66, #"cannot open no\xE9.npy: No such file"#),
            ("cp table.csv $'bad\\xe9.npy'; {tool} inspect $'bad\\xe9.npy'", 65, #"bad\xE9.npy: "#),
            ("{tool} inspect data.safetensors --mask $'last:\\xe9'", 64, #"found last:\xE9"#),
        ] {
            let run = try shell(script)
            #expect(run.status == status && run.error.contains(words), "\(run)")
        }
    }

    // The text of a character that stands for a byte is no such byte.
    @Test func charactersThatStandForBytes() throws {
        let run = try shell(
            """
            cp data.safetensors $'x\\xf4\\x8f\\x9f\\xa9.safetensors'
            cp probe.safetensors $'x\\xe9.safetensors'
            {tool} inspect $'x\\xf4\\x8f\\x9f\\xa9.safetensors' $'x\\xe9.safetensors' | grep ^x
            """)
        #expect(
            run.output.split(separator: "\n") == [
                #"x\xF4\x8F\x9F\xA9.safetensors: activations"#, #"x\xE9.safetensors: probe"#,
            ], "\(run)")
    }
}
