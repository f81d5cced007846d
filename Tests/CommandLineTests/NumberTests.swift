import Foundation
import TestSupport
import Testing

@Suite("Numbers that an option cannot have")
struct NumberTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private static let train = ["train", "x", "--out", "y"]
    private static let select = train + ["--select"]
    private static let compare = ["compare", "x", "--test", "x"]

    /// An option, a value, and what the sentence says behind the option's name.
    @Test(arguments: [
        (train, "--l2", "-1", "expected 0 or a positive number, found -1.0"),
        (train, "--l2", "0.1,-inf", "expected 0 or a positive number, found -inf"),
        (train, "--l2", "-0.5,0.1", "expected 0 or a positive number, found -0.5"),
        (train, "--learning-rate", "-1e-3", "expected a positive number, found -0.001"),
        (train, "--learning-rate", "1e308", "expected a positive number, found inf"),
        (train, "--token-dropout", "-.5", "expected a number from 0 to below 1, found -0.5"),
        (train, "--layer", "-1", "expected 0 or more, found -1"),
        (train, "--layers", "-1,2", "expected different numbers from 0 on, found -1,2"),
        (train, "--heads", "-2", "expected a number from 1 to 4096, found -2"),
        (train, "--heads", "8,5000", "expected a number from 1 to 4096, found 5000"),
        (train, "--hidden", "-1", "expected a number from 0 to 65536, found -1"),
        (train, "--units", "65537", "expected a number from 0 to 65536, found 65537"),
        (train + ["--kind", "mlp-attention"], "--units", "0", "expected a number from 1 to 65536, found 0"),
        (train, "--order", "17", "expected a number from 1 to 16, found 17"),
        (["score", "p", "x"], "--max-order", "0", "expected a number from 1 to 16, found 0"),
        (["score", "p", "x"], "--early-exit", "1", "expected a number from 0.5 to below 1, found 1.0"),
        (train, "--window", "100000000", "expected a number from 1 to 16777215, found 100000000"),
        (train, "--k", "100000000", "expected a number from 1 to 16777215, found 100000000"),
        (train, "--k", "-5", "expected a number from 1 to 16777215, found -5"),
        (train, "--temperature", "-nan", "expected a number from 1e-06 on, found -nan"),
        (train, "--temperature", "1e-45", "expected a number from 1e-06 on, found 1e-45"),
        (train, "--decay", "-1", "expected a number above 0, at most 1, found -1.0"),
        (train, "--epochs", "-1", "expected a number from 1 to 1000000000, found -1"),
        (
            train, "--batch-size", "-9223372036854775808",
            "expected a number from 1 to 1000000000, found -9223372036854775808"
        ),
        (train, "--patience", "-3", "expected 1 or more, found -3"),
        (train, "--average", "-1", "expected a number from 1 to 1000, found -1"),
        (train, "--validation-fraction", "-0.1", "expected a number from 0 to below 1, found -0.1"),
        (train, "--threads", "-1", "expected 1 or more, found -1"),
        (select, "--folds", "-1", "expected a number from 2 to 1000, found -1"),
        (select, "--fpr", "-1e-20", "expected a number between 0 and 1, found -1e-20"),
        (select + ["--fpr", "0.1"], "--confidence", "1", "expected a number between 0 and 1, found 1.0"),
        (compare, "--l2", "-1", "expected 0 or a positive number, found -1.0"),
        (compare, "--bootstrap", "4000000", "expected a number from 1 to 1000000, found 4000000"),
        (compare, "--folds", "1001", "expected a number from 2 to 1000, found 1001"),
        (
            ["evaluate", "p", "x"], "--bootstrap", "1000000000000",
            "expected a number from 0 to 1000000, found"
        ),
        (
            ["report", "p", "x", "--out", "y"], "--bootstrap", "9223372036854775807",
            "expected a number from 0 to 1000000, found 9223372036854775807"
        ),
        (["evaluate", "p", "x"], "--bootstrap", "-1", "expected a number from 0 to 1000000, found -1"),
        (["evaluate", "p", "x"], "--documents", "-1", "expected 0 or more, found -1"),
        (["report", "p", "x", "--out", "y"], "--documents", "-2", "expected 0 or more, found -2"),
        (["convert", "x", "--out", "y"], "--sample", "-1", "expected 1 or more, found -1"),
        (
            ["convert", "x", "--out", "y"], "--shard-size", "-2",
            "expected a size such as 2GB or 500MiB, found -2"
        ),
        (
            ["convert", "x", "--out", "y"], "--test-fraction", "-0",
            "expected a number between 0 and 1, found -0.0"
        ),
        (["inspect", "x"], "--layer", "-1", "expected 0 or more, found -1"),
        (["inspect", "x"], "--threads", "-1", "expected 1 or more, found -1"),
    ])
    func isNamedWithItsRange(command: [String], option: String, value: String, words: String) throws {
        let result = try Command.start(command + [option, value]).wait()
        #expect(result.status == 64 && result.error.hasPrefix("Error: \(option): \(words)"), "\(result)")
        #expect(result.error.contains("Usage: attnprobe \(command[0])"))
    }

    @Test func anOptionBehindAnOptionIsNoValue() throws {
        for (arguments, words) in [
            (Self.train + ["--l2", "--quiet"], "Missing value for '--l2"),
            (Self.train + ["--layer", "--l2", "-1"], "Missing value for '--layer"),
            (Self.train + ["--quiet", "-1"], "--quiet"),
            (["inspect", "--", "-1"], "-1"),
            (
                Self.select + ["--heads", "4096"],
                "--average: expected at most 4096 heads altogether, found 4 times 4096"
            ),
        ] {
            let result = try Command.start(arguments).wait()
            #expect(result.status != 0 && result.error.contains(words), "\(result)")
        }
    }

    /// Refused before anything is allocated, with what is needed and what there is.
    @Test func trainingsThatFitIntoNoMemory() throws {
        let data = Command.example("injection-train")
        let huge = ["train", data, "--out", folder("y"), "--heads", "4096", "--hidden", "65536"]
        for arguments in [
            huge, huge + ["--kind", "attention", "--select"], huge + ["--optimizer", "lbfgs"],
        ] {
            let result = try Command.start(arguments).wait()
            #expect(result.status == 64 && result.error.contains(" TB needed"), "\(result)")
            #expect(result.error.hasPrefix("Error: attention, 4096 heads, hidden 65536"), "\(result.error)")
            #expect(result.error.contains("on states of width 384") && result.error.contains(" left "))
        }
        #expect(try folder.names.isEmpty)
    }

    @Test func trainingsThatFitIntoNoAddressSpace() throws {
        let data = Command.example("injection-train")
        let train = "train \(data) --out y"
        for arguments in [
            "\(train) --kind mlp-attention --units 20000",
            "\(train) --kind mlp-attention --units 20000 --select",
            "\(train) --hidden 40000", "\(train) --heads 4096 --hidden 100 --optimizer lbfgs",
            "compare \(data) --test \(Command.example("injection-test")) --kind attention --heads 4096 --folds 8",
        ] {
            let line = "ulimit -v 1500000; exec \(Command.tool.path) \(arguments) --threads 8"
            let result = try Command.run("/bin/sh", ["-c", line], in: folder.path)
            #expect(
                result.status == 64 && result.error.contains("left of ulimit -v, found at least"), "\(result)"
            )
        }
        #expect(try folder.names.isEmpty)
    }

    @Test func aRateThatNoNumberOfNegativesPromises() throws {
        try expectFailure(
            65, "expected at least 2.99573227355399e+20 negative sequences", in: folder,
            [
                "train", Command.example("injection-train"), "--out", folder("y"), "--select", "--kind",
                "mean",
                "--fpr", "1e-20", "--quiet",
            ])
    }
}
