import ArgumentParser
import AttentionProbes

extension Score {
    /// Writes what single tokens have, whole or not at all.
    func scoreTokens(_ probes: ProbeSet, _ names: [String], _ data: ActivationSet) throws {
        if let out { try SharedOptions.checkOutput(out) }
        let writer = try TokenScoreWriter(
            chosenFormat, probes, names: names, data, threads: shared.threadCount)
        let output = try out.map { try OutputFile(path: $0) } ?? OutputFile.standardOutput()
        let line = ProgressLine(isShown: !shared.quiet && (out != nil || StandardError.isTerminal))
        let interrupt = Interrupt(isQuiet: shared.quiet)
        var progress = ScoreProgress(data)
        do {
            try writer.write(to: output) { range in
                if interrupt.isSet { throw ExitCode(130) }
                progress.add(range)
                line.show(progress.line(line.elapsed))
            }
            try output.commit()
            line.finish()
        } catch {
            line.abandon()
            throw error
        }
    }
}
