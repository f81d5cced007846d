// What is known about the sequences of one file, whichever form it has (`Readers/`): beside hidden
// states there may be `labels`, `groups` (N), `token_mask`, `token_ids` (one a token), `token_text` and
// `sequence_ids` (bytes, each with its offsets), `weights` (N), and in the metadata `classes`, a JSON
// list.
public import Tensors

/// One file of activations, or a batch in memory that stands for one: tokens, and what is known
/// about the sequences.
///
/// A class, because a set of thousands is copied about: it never changes.
public final class ActivationFile: Sendable {
    /// The file; what messages call the data if they are in memory.
    public let path: String
    /// The sequences.
    package let batch: RaggedBatch
    /// Their labels, if there are any.
    package let targets: Targets?
    /// Names of the classes, if the file has any.
    package let classes: [String]?
    /// One number a sequence; sequences with the same are never split between folds.
    package let groups: [Int]?
    /// How much each sequence counts in training; nil for all alike.
    package let weights: [Float]?
    /// The file's metadata.
    package let metadata: [String: String]
    private let ids: TextTable?
    private let tokenTexts: TextTable?
    private let tokenIDs: IntegerColumn?

    /// What the file was recognised as.
    package let form: ActivationForm
    // The open file; nil for a batch in memory.
    private let source: TensorFile?
    /// How many layers the file holds of every token; `batch` has those that were asked for.
    package let layerCount: Int
    /// Which layers `batch` has; nil where the file does not say, or holds the only one.
    package let layers: LayerRecord?
    /// The files that its states come from: this one, or several that were put side by side.
    let parts: [StatePart]
    // The name of a file that holds one sequence.
    private let stem: String?

    /// The value of `format` in the metadata of an activation file.
    package static let fileFormat = "attention-probes/activations"

    /// A batch in memory.
    ///
    /// - Precondition: one target, group, weight and id a sequence and one text a token, where there are any;
    ///   weights positive.
    public convenience init(
        _ batch: RaggedBatch, targets: Targets? = nil, classes: [String]? = nil, groups: [Int]? = nil,
        weights: [Float]? = nil, ids: [String]? = nil, tokenTexts: [String]? = nil,
        name: String = "activations in memory"
    ) {
        self.init(
            batch, .memory, targets: targets, classes: classes, groups: groups, weights: weights, ids: ids,
            tokenTexts: tokenTexts, name: name)
    }

    /// Scores in place of hidden states: of each sequence one token, whose state is the sequence's outputs.
    ///
    /// - Parameters:
    ///   - outputs: N×O.
    ///   - ids: N.
    /// - Throws: `RaggedBatch.Fault` where there is no sequence.
    package convenience init(scores outputs: Matrix, ids: [String], name: String) throws {
        try self.init(
            RaggedBatch(
                tokens: TokenMatrix(outputs.storage, columns: outputs.columns),
                offsets: Array(0...outputs.rows)),
            .scores, ids: ids, name: name)
    }

    private init(
        _ batch: RaggedBatch, _ form: ActivationForm, targets: Targets? = nil, classes: [String]? = nil,
        groups: [Int]? = nil, weights: [Float]? = nil, ids: [String]? = nil, tokenTexts: [String]? = nil,
        name: String
    ) {
        precondition(targets.map { $0.count == batch.count } ?? true, "one target a sequence")
        precondition(groups.map { $0.count == batch.count } ?? true, "one group a sequence")
        precondition(weights.map { $0.count == batch.count } ?? true, "one weight a sequence")
        precondition(ids.map { $0.count == batch.count } ?? true, "one id a sequence")
        precondition(tokenTexts.map { $0.count == batch.tokens.rows } ?? true, "one text a token")
        path = name
        self.batch = batch
        self.targets = targets
        self.classes = classes
        self.groups = groups
        self.weights = weights
        metadata = [:]
        self.ids = ids.map { TextTable($0) }
        self.tokenTexts = tokenTexts.map { TextTable($0) }
        tokenIDs = nil
        (self.form, source, layerCount, layers, stem) = (form, nil, 1, nil, nil)
        parts = [StatePart(path: name, columns: batch.width)]
    }

    /// What a reader has found in an open file, and what else the file says of its sequences.
    ///
    /// - Throws: `DataError` where that breaks a rule.
    init(_ file: TensorFile, _ form: ActivationForm, _ layout: ActivationLayout, layers: [Int]?)
        throws(DataError)
    {
        if form.isOneSequence { try file.checkIsOneSequence(layout.batch.tokens.rows) }
        self.form = form
        source = file
        batch = layout.batch
        layerCount = layout.layerCount
        self.layers =
            layout.layers
            ?? (layout.layerCount > 1
                ? layers.map { LayerRecord($0, areAsStored: true) } : LayerRecord(metadata: file.metadata))
        stem = form.isOneSequence ? fileStem(file.path) : nil
        parts = [StatePart(path: file.path, columns: layout.batch.width)]
        path = file.path
        metadata = file.metadata
        let count = batch.count
        groups = try file.optional("groups", types: TensorFile.integerTypes, shape: [count])
            .map(file.integers)
        weights = try file.weights(count: count)
        tokenIDs = try layout.tokenIDs.map { name throws(DataError) in
            try file.optional(name, types: TensorFile.indexTypes, shape: layout.tokenShape)
        }?.map { IntegerColumn(file, $0) }
        ids = try TextTable(file, "sequence_ids", count: count, areHeld: true)
        tokenTexts = try TextTable(file, "token_text", count: layout.tokenShape.reduce(1, *))
        classes = try file.classes()
        targets = try file.targets(count: count, classes: classes)
        file.file.forgetHead()
    }

    // A file with other states of the same sequences.
    convenience init(
        _ first: ActivationFile, tokens: TokenMatrix, layers: LayerRecord?, parts: [StatePart]? = nil
    ) {
        var metadata = first.metadata
        if metadata["layer"] != nil { metadata["layer"] = layers?.list }
        self.init(
            first, first.batch.replacing(tokens: tokens), metadata, layers: layers,
            parts: parts ?? [StatePart(path: first.path, columns: tokens.columns)])
    }

    /// The metadata that say which tokens are in sight.
    static let maskKey = "mask"

    // A file with other tokens in sight, as an expression says beside what said it before.
    convenience init(_ file: ActivationFile, tokenMask: [Bool], mask: TokenMask) {
        var metadata = file.metadata
        let before = metadata[Self.maskKey].flatMap { try? TokenMask($0) }
        metadata[Self.maskKey] = (before?.and(mask) ?? mask).description
        self.init(
            file, file.batch.replacing(tokenMask: tokenMask), metadata, layers: file.layers,
            parts: file.parts)
    }

    private init(
        _ first: ActivationFile, _ batch: RaggedBatch, _ metadata: [String: String], layers: LayerRecord?,
        parts: [StatePart]
    ) {
        (self.batch, self.metadata) = (batch, metadata)
        (path, targets, classes, groups) = (first.path, first.targets, first.classes, first.groups)
        weights = first.weights
        (self.layers, self.parts) = (layers, parts)
        (ids, tokenTexts, tokenIDs) = (first.ids, first.tokenTexts, first.tokenIDs)
        (form, source, layerCount, stem) = (first.form, first.source, first.layerCount, first.stem)
    }

    /// The open file where it is safetensors.
    var safetensors: TensorFile? { source?.container == Safetensors.self ? source : nil }

    /// The id of a sequence: the name of a file that holds just one, without its ending; nil if the file
    /// names none.
    package func id(_ sequence: Int) -> String? { ids?[sequence] ?? stem }

    /// Whether the file names its sequences.
    package var namesSequences: Bool { ids != nil || stem != nil }

    /// The bytes of a token's text, by its row; nil without text.
    func tokenTextBytes(_ row: Int) -> [UInt8]? { tokenTexts?.bytes(row) }

    /// How many bytes the text of some rows has; 0 without text.
    func tokenTextSize(_ rows: Range<Int>) -> Int { tokenTexts?.byteCount(rows) ?? 0 }

    /// The id of a token, by its row; nil without ids.
    func tokenID(_ row: Int) -> Int? { tokenIDs?[row] }

    /// The text of a token, by its row in the file; without text its id; nil without either.
    package func tokenText(_ token: Int) -> String? {
        tokenTexts?[token] ?? tokenIDs.map { "#\($0[token])" }
    }

    /// Whether tokens have texts.
    package var hasTokenText: Bool { tokenTexts != nil }

    /// Whether tokens have ids.
    package var hasTokenIDs: Bool { tokenIDs != nil }

    /// Whether the bytes of a token's text are UTF-8; true where it has no text.
    package func isTokenTextValid(_ token: Int) -> Bool { tokenTexts?.isValid(token) ?? true }
}

extension DataError {
    /// What a broken batch means in a file.
    package init(_ fault: RaggedBatch.Fault, _ path: String) {
        switch fault {
        case .firstOffset(let found):
            self.init(
                .offsets, path, "tensor offsets", expected: "0 first",
                found: found.map(String.init) ?? "no element")
        case .fallingOffset(let index, let found, let before):
            self.init(
                .offsets, path, "tensor offsets, element \(index)", expected: "at least \(before)",
                found: "\(found)")
        case .lastOffset(let found, let tokens):
            self.init(
                .offsets, path, "tensor offsets", expected: "\(tokens) last, the number of tokens",
                found: "\(found)")
        case .emptySequence(let index):
            self.init(
                .emptySequence, path, "sequence \(index)", expected: "at least one token", found: "none")
        case .maskedSequence(let index):
            self.init(
                .emptySequence, path, "sequence \(index)",
                expected: "a token that token_mask lets the probe look at", found: "none")
        case .maskLength(let found, let tokens):
            self.init(
                .shape, path, "tensor token_mask", expected: "\(tokens) elements", found: "\(found)")
        case .outsideMatrix(let index, let found, let tokens):
            self.init(
                .offsets, path, "sequence \(index)", expected: "rows from 0 to \(tokens)",
                found: "\(found.lowerBound) to \(found.upperBound)")
        case .brokenToken(let index, let found, let width):
            self.init(
                .shape, path, "sequence \(index)", expected: "a multiple of \(width) values, the width",
                found: "\(found)")
        }
    }
}
