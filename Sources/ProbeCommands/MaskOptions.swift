import ArgumentParser
import AttentionProbes

/// The tokens that probes look at, and where the lengths of prompts are from, the same in every subcommand that reads data.
struct MaskOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            Tokens that probes look at, of those that files leave in sight: first:N, last:N, after:ID,… (behind the last \
            place of these token ids), before:ID,… (before the first), regex:PATTERN (of the token's text), reply (behind the \
            prompt_length of a table); with not, and, or and parentheses.
            """, valueName: "expression"))
    var mask: String?
    @Option(
        help: ArgumentHelp(
            "With --mask reply: CSV or JSON lines with a prompt_length for each sequence id, its tokens before the reply; - for standard input. "
                + "(default: the table of --labels)",
            valueName: "table"))
    var promptLengths: String?

    func validate() throws {
        let mask = try expression()
        guard promptLengths != nil, mask?.needsPromptLengths != true else { return }
        throw ValidationError("--prompt-lengths: expected it only with reply in --mask")
    }

    /// What was asked for; nil for all tokens.
    func expression() throws -> TokenMask? {
        guard let mask else { return nil }
        do {
            return try TokenMask(mask)
        } catch {
            throw ValidationError("--mask: \(error)")
        }
    }

    /// The data with only the tokens in sight that --mask leaves.
    ///
    /// - Parameters:
    ///   - table: that of labels; nil where there is none.
    ///   - idColumn: its column with the ids.
    ///   - isNew: whether no set before had the table.
    func masked(
        _ data: ActivationSet, _ table: LabelTable?, idColumn: String?, isNew: Bool, skipsEmpty: Bool,
        threads: Int, note: (String) -> Void
    ) throws -> ActivationSet {
        guard let mask = try expression() else {
            if let table, isNew, table.hasPromptLengths {
                note(
                    "\(table.path) has a column prompt_length, which nothing asks for: --mask reply leaves the prompts out of sight"
                )
            }
            return data
        }
        var lengths: [Int?] = []
        if mask.needsPromptLengths {
            if let promptLengths {
                lengths = try LabelTable(promptLengths: promptLengths, idColumn: idColumn).promptLengths(
                    of: data)
            } else if let table {
                lengths = try table.promptLengths(of: data)
            } else {
                throw ValidationError(
                    "--mask: expected a table with a column prompt_length, which reply goes by (--prompt-lengths, or "
                        + "--labels where there is one), found none")
            }
        }
        return try data.masked(by: mask, promptLengths: lengths, skipsEmpty: skipsEmpty, threads: threads)
    }
}
