import ArgumentParser
package import AttentionProbes

/// Which data are opened, and where their labels come from.
package struct DataOptions: ParsableArguments {
    @OptionGroup var labelling: LabelOptions
    @OptionGroup var reading: ReadingOptions

    package init() {}

    /// Opens activation files or folders of them.
    ///
    /// - Parameter note: takes lines for people.
    package func open(_ paths: [String], _ running: RunOptions, note: (String) -> Void) throws
        -> ActivationSet
    {
        try reading.open(paths, labels: labelling, threads: running.threadCount, note: note)
    }
}
