import ArgumentParser
package import AttentionProbes

/// Which data are opened, and where their labels come from.
package struct DataOptions: ReadingOptions {
    @OptionGroup var labelling: LabelOptions
    @Flag(help: skipNonfiniteHelp)
    var skipNonfinite = false
    @OptionGroup var skipping: SkipOptions
    @OptionGroup var masking: MaskOptions
    @OptionGroup var layers: LayerOptions
    @OptionGroup var matrices: MatrixOptions
    @OptionGroup var sweep: LayerSweepOption
    @Option(help: "What labels of a table are read for. (default: what they say)")
    var task: TaskOptions.Name?

    package init() {}

    /// Opens activation files or folders of them.
    ///
    /// - Parameter note: takes lines for people.
    package func open(_ paths: [String], _ running: RunOptions, note: (String) -> Void) throws
        -> ActivationSet
    {
        try read(
            paths, labels: labelling, task: task?.expected, swept: sweep.layersEach,
            threads: running.threadCount, note: note)
    }
}
