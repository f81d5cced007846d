public import Tensors
public import Activations
public import ProbeMetrics
public import Probes
public import ProbeSelection

/// A page about a probe and a set of sequences: metrics, plots, attention and documents, in one HTML
/// file that needs no other.
///
/// Without labels it has no metrics and says so. See `Options` for what it shows of documents.
public struct ProbeReport: Sendable {
    /// What a page is made with.
    public struct Options: Sendable {
        /// Documents of each group (hits, mistakes, nearest to the threshold, random); nil for 25, or
        /// fewer where they would make the page larger than five megabytes.
        public var documents: Int?
        /// Seed of the choice of random documents.
        public var seed: UInt64
        /// How to find confidence intervals; nil for none.
        public var bootstrap: Bootstrap?
        /// Threads to use at most.
        public var threads: Int
        /// What to call the probe.
        public var probeName: String
        /// The group of each sequence, for rates a group; nil for none.
        public var groups: [String]?
        /// Makes the metrics of controls beside those of the probe; nil for none.
        public var controls: (@Sendable (ScoredSet, Evaluation) throws -> ControlMetrics)?

        /// The defaults of the command line.
        public init(
            documents: Int? = nil, seed: UInt64 = 0, bootstrap: Bootstrap? = Bootstrap(),
            threads: Int = Parallel.availableThreads, probeName: String = "probe"
        ) {
            self.documents = documents
            self.seed = seed
            self.bootstrap = bootstrap
            self.threads = threads
            self.probeName = probeName
        }
    }

    /// The metrics; nil where the data have no labels.
    public let evaluation: Evaluation?
    /// Where the probe looks; nil for kinds without attention.
    public let attention: AttentionSummary?
    /// The page.
    public let html: String

    /// Scores a set and makes the page.
    ///
    /// - Parameter progress: is told the sequences of each chunk when they are scored.
    /// - Throws: `DataError` where there is no sequence, labels, classes or width do not fit the probe, a hidden
    ///   state is not finite, or a file has become shorter.
    public init(
        _ probe: Probe, _ data: ActivationSet, options: Options = Options(),
        progress: (Range<Int>) throws -> Void = { _ in }
    ) throws {
        let scored = try probe.scored(
            data, attention: true, threads: options.threads, progress: progress)
        let data = scored.data
        evaluation =
            try data.targets.map { _ in
                try scored.evaluation(
                    threads: options.threads, bootstrap: options.bootstrap, groups: options.groups)
            }
        let controls = try evaluation.flatMap { try options.controls?(scored, $0) }
        attention = scored.attention
        let judged = JudgedSet(scored)
        let content = ReportContent(
            probe, data, judged, evaluation: evaluation, controls: controls, attention: attention,
            entropyRatio: scored.entropyRatios, options: options)
        let links = [
            ("metrics", "Metrics"), content.controls.map { _ in ("controls", "Controls") },
            content.attention.map { _ in ("attention", "Attention") },
            content.isTrained ? ("training", "Training") : nil, ("documents", "Documents"),
        ]
        var page = try Page(
            "\(options.probeName.isolated) · probe report", kind: "Probe report", heading: options.probeName,
            subtitle: content.subtitle, contents: "Sections",
            links.compactMap { $0.map { Page.Link(id: $0.0, name: $0.1) } })
        try page.append("report", content)
        try data.checkLengths(data.indices)
        // Documents have the room that the rest of the page leaves.
        let patterns = IdPatterns(data.indices.map(data.id))
        let documents = try ReportDocuments(
            probe, data, judged, options, patterns: patterns, pageSize: page.size)
        try page.append(
            "documents",
            DocumentSection(notes: documents.notes(probe, data), patterns: patterns?.table(judged.judgements))
        )
        html = try page.html(data: documents)
        try data.checkNothingLost(data.indices)
    }

    /// Writes the page, beside its target and renamed when it is whole.
    ///
    /// - Throws: `SystemError`.
    public func write(to path: String) throws { try Page.write(html, to: path) }
}
