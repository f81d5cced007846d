import AttentionProbes
import TestSupport
import Testing

@Suite("Expressions that say which tokens a probe may look at")
struct TokenMaskTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    // Two sequences of six and three tokens; ids as they stand, and a text for each.
    private static let ids = [5, 7, 8, 5, 7, 9, 7, 8, 8]
    private static let texts = ["<s>", "a", " b", "<s>", "a", "?", "a", " b", " (b)"]

    private func data(mask: [UInt8]? = nil, hasText: Bool = true) throws -> ActivationSet {
        let bytes = Self.texts.map { Array($0.utf8) }
        let ends = bytes.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }
        var tensors: [(name: String, type: String, shape: [Int], bytes: [UInt8])] = [
            ("hidden_states", "F32", [9, 1], Array(repeating: 0, count: 36)),
            ("offsets", "I64", [3], integerBytes(0, 6, 9)),
            ("token_ids", "I64", [9], Self.ids.flatMap { integerBytes($0) }),
        ]
        if hasText {
            tensors += [
                ("token_text", "U8", [ends[9]], bytes.flatMap(\.self)),
                ("token_text_offsets", "I64", [10], ends.flatMap { integerBytes($0) }),
            ]
        }
        if let mask { tensors.append(("token_mask", "U8", [9], mask)) }
        return try ActivationSet(paths: [folder.write(literalSafetensors(tensors), to: "data.safetensors")])
    }

    private func positions(_ set: ActivationSet) -> [[Int]] {
        set.indices.map { index in (0..<set[index].count).map(set[index].position) }
    }

    @Test(
        arguments: [
            ("first:2", [[0, 1], [0, 1]]),
            ("last:2", [[4, 5], [1, 2]]),
            ("first:100", [[0, 1, 2, 3, 4, 5], [0, 1, 2]]),
            // The last place where they stand side by side.
            ("after:7", [[5], [1, 2]]),
            ("after:5,7", [[5], []]),
            ("after:8,8", [[], []]),
            ("after:5,9", [[], []]),
            // The first place; all where there is none.
            ("before:7", [[0], []]),
            ("before:5,7,9", [[0, 1, 2], [0, 1, 2]]),
            ("before:4", [[0, 1, 2, 3, 4, 5], [0, 1, 2]]),
            ("regex:b", [[2], [1, 2]]),
            ("regex:^<", [[0, 3], []]),
            (#"regex:\(b\)$"#, [[], [2]]),
            (#"regex:(a|\?)"#, [[1, 4, 5], [0]]),
            (#"regex:"^ \(?b""#, [[2], [1, 2]]),
            ("not first:1", [[1, 2, 3, 4, 5], [1, 2]]),
            ("reply", [[2, 3, 4, 5], [0, 1, 2]]),
            // `and` before `or`, `not` before both.
            ("first:1 or last:3 and last:1", [[0, 5], [0, 2]]),
            ("(first:1 or last:3) and last:1", [[5], [2]]),
            ("not first:1 and first:2", [[1], [1]]),
            ("not (first:1 or last:1)", [[1, 2, 3, 4], [1]]),
            ("(regex:a)or(regex:b)", [[1, 2, 4], [0, 1, 2]]),
        ] as [(String, [[Int]])])
    func tokensThatAreLeft(expression: String, expected: [[Int]]) throws {
        let mask = try TokenMask(expression)
        let lengths = mask.description.contains("reply") ? [2, nil] : []
        let set = try data()
        let kept = expected.indices.filter { !expected[$0].isEmpty }
        if kept.count < 2 {
            let bad = expected.firstIndex(of: [])!
            #expect {
                _ = try set.masked(by: mask, promptLengths: lengths)
            } throws: { error in
                "\(error)".contains(
                    "sequence \(bad): expected a token that --mask \(mask) lets the probe look at")
            }
        }
        guard !kept.isEmpty else {
            #expect(throws: DataError.self) { try set.masked(by: mask, skipsEmpty: true) }
            return
        }
        let found = try set.masked(by: mask, promptLengths: lengths, skipsEmpty: true)
        #expect(positions(found) == kept.map { expected[$0] })
        #expect(found.indices.map(found.id) == kept.map(String.init))
        // What is said of it says the same again.
        #expect(try TokenMask(mask.description) == mask)
        #expect(found.mask == mask.description)
    }

    @Test func masksOfFilesStay() throws {
        let set = try data(mask: [0, 1, 1, 1, 0, 1, 1, 1, 0])
        #expect(positions(try set.masked(by: TokenMask("last:3"))) == [[3, 5], [0, 1]])
        // One after the other is both.
        let twice = try set.masked(by: TokenMask("last:3")).masked(by: TokenMask("first:4 or after:8"))
        #expect(twice.mask == "last:3 and (first:4 or after:8)")
        #expect(positions(twice) == [[3, 5], [0, 1]])
        #expect(set.mask == nil)
    }

    @Test func tensorsThatAreMissing() throws {
        let set = try data(hasText: false)
        #expect(set.mask == nil)
        #expect {
            _ = try set.masked(by: TokenMask("regex:a or first:1"))
        } throws: { error in
            "\(error)".hasSuffix(
                #"expected a tensor token_text, which --mask regex:"a" or first:1 goes by, found none"#)
        }
        let bare = try ActivationSet([ActivationFile(RaggedBatch([[1]], width: 1))])
        #expect(throws: DataError.self) { try bare.masked(by: TokenMask("after:1")) }
    }

    @Test(
        arguments: [
            (
                "",
                "expected last:N, first:N, after:ID,…, before:ID,…, regex:PATTERN, reply, not or a parenthesis, found "
                    + "the end"
            ),
            ("last", "found last"), ("last:0", "expected a number of tokens from 1, found last:0"),
            ("first:-1", "a number of tokens from 1"),
            ("last:1:2", "a number of tokens from 1, found last:1:2"),
            ("after:", "ids of tokens from 0, with commas between them, found after:"),
            ("after:-1", "ids of tokens from 0, with commas between them, found after:-1"),
            ("before:1,-2", "found before:1,-2"),
            ("after:1,,2", "found after:1,,2"), ("before:x", "found before:x"),
            ("first:1 last:1", "expected and, or, or the end, found last:1"),
            ("first:1 and", "found the end"), ("(first:1", "a closing parenthesis, found the end"),
            ("first:1)", "expected and, or, or the end, found )"), ("middle:3", "found middle:3"),
            ("reply:3", "found reply:3"),
            (
                "regex:",
                "expected a regular expression, with blanks or parentheses of its own in quotation marks, found none"
            ),
            ("regex:(a", "in quotation marks, found (a"),
            ("regex:\"a b", "expected a second quotation mark"),
            (String(repeating: "reply or ", count: 256) + "reply", "expected at most 256 terms, found more"),
            (String(repeating: "(", count: 100_000), "expected at most 64 parentheses"),
            (String(repeating: "not ", count: 100_000), "expected at most 64 parentheses"),
        ])
    func noExpressions(text: String, words: String) {
        #expect {
            _ = try TokenMask(text)
        } throws: { error in
            "\(error)".contains(words)
        }
    }
}
