@testable import ProbeReports
import Testing

@Suite("Patterns of ids")
struct IdPatternsTests {
    @Test(arguments: [
        // Behind the last separator, before the first, and without any.
        (
            ["gcc+ab-001", "vim+ab-017", "tar+ab-3", "sed+bn-enc-1", "git+bn-enc-2", "fd+bn-enc-30"],
            ["ab", "ab", "ab", "bn-enc", "bn-enc", "bn-enc"]
        ),
        (
            ["train/a1", "train/b7", "train/c", "dev/a4", "dev/d", "dev/e"],
            ["train", "train", "train", "dev", "dev", "dev"]
        ),
        (
            ["easy1", "easy2", "easy30", "hard1", "hard2", "hard3"],
            ["easy", "easy", "easy", "hard", "hard", "hard"]
        ),
    ])
    func arePartsThatManyShare(ids: [String], patterns: [String]) {
        #expect(IdPatterns(ids)?.names == patterns)
    }

    @Test(arguments: [
        ["0", "1", "2", "3", "4", "5"], ["doc-1", "doc-2", "doc-3", "doc-4", "doc-5", "doc-6"],
        ["ab", "cd", "ef", "gh", "ij", "kl"], [], [""],
    ])
    func areNotFoundWhereAllIdsAreAlikeOrDiffer(ids: [String]) {
        #expect(IdPatterns(ids) == nil)
    }

    // In different alphabets, too: nothing is taken apart inside a character.
    @Test func keepCharactersWhole() {
        let ids = ["über-1", "über-2", "über-3", "日本-1", "日本-2", "日本-3"]
        #expect(IdPatterns(ids)?.names == ["über", "über", "über", "日本", "日本", "日本"])
    }
}
