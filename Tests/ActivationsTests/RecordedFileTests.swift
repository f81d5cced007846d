import AttentionProbes
import TestSupport
import Testing

/// What a set holds: every state, as floats with their bits, and where sequences end.
private struct Contents: Equatable {
    let values: [UInt32]
    let lengths: [Int]
    let targets: Targets?

    init(_ set: ActivationSet) {
        var (values, scratch): ([UInt32], [Float]) = ([], [])
        for index in set.indices {
            set[index].withTokens(0..<set[index].count, scratch: &scratch) { tokens in
                values += tokens.indices.map { tokens[$0].bitPattern }
            }
        }
        self.values = values
        lengths = set.indices.map(set.length)
        targets = set.targets
    }
}

@Suite("Files that other tools have written")
struct RecordedFileTests {
    private let folder: TemporaryFolder
    private let probe = Probe(
        .attention(heads: 2), width: 2, task: .binary(classes: ["no", "yes"]),
        parameters: randomFloats(12, seed: 3))

    init() throws { folder = try TemporaryFolder() }

    private func flat(_ type: ElementType = .f32, offsets: [Int] = [0, 2, 3, 6], labels: [Int]? = [0, 1, 1])
        throws -> ActivationSet
    {
        let values = RecordedFile.values
        var file = LiteralActivations().without("labels")
            .with("hidden_states", type.rawValue, [6, 2], narrow(values.span, as: type))
            .with("offsets", "I64", [offsets.count], offsets.flatMap { integerBytes($0) })
            .described(by: "{}")
        if let labels {
            file = file.with("labels", "I64", [labels.count], labels.flatMap { integerBytes($0) })
        }
        return try ActivationSet(paths: [try folder.write(file.file, to: "flat.safetensors")])
    }

    private func expectEqual(_ set: ActivationSet, _ flat: ActivationSet, _ name: String) throws {
        #expect(Contents(set) == Contents(flat), "\(name)")
        #expect(try probe.scores(set).logits.storage == probe.scores(flat).logits.storage, "\(name)")
        // Copied, as rows are that are not read as floats.
        try set.write(to: folder("copy.safetensors"))
        #expect(try Contents(ActivationSet(paths: [folder("copy.safetensors")])) == Contents(flat), "\(name)")
    }

    @Test(arguments: [
        ("list-f32.pt", ElementType.f32, "list of tensors in .pt"),
        ("list-f16.pt", .f16, "list of tensors in .pt"),
        ("list-bf16.pt", .bf16, "list of tensors in .pt"),
        ("list-f64.pt", .f32, "list of tensors in .pt, float64 rounded to float32"),
        ("pair.pt", .f32, "list of tensors in .pt"), ("pairs.pt", .f32, "list of tensors in .pt"),
        ("rows.pt", .f32, "list of tensors in .pt"), ("views.pt", .f32, "list of tensors in .pt"),
        ("padded.pt", .f32, "padded activations in .pt"),
        ("lengths.pt", .f32, "padded activations with lengths in .pt"),
        ("offsets.npz", .f32, "activations in .npz"),
    ])
    func sequencesWithLabels(name: String, type: ElementType, form: String) throws {
        let set = try ActivationSet(paths: [RecordedFile.path(name)])
        #expect(set.files[0].form.name == form)
        #expect(set.files[0].batch.tokens.elementType == type)
        try expectEqual(set, flat(type), name)
    }

    @Test(arguments: ["alone.pt", "big.pt"])
    func sequencesAlone(name: String) throws {
        try expectEqual(ActivationSet(paths: [RecordedFile.path(name)]), flat(labels: nil), name)
    }

    @Test func namesOfClassesAndSequences() throws {
        let named = try ActivationSet(paths: [RecordedFile.path("protocol4.pth")])
        #expect(named.classes == ["no", "yes"] && named.targets == .classes([0, 1, 1]))
        try expectEqual(named, flat(), "protocol4.pth")
        let rows = try ActivationSet(paths: [RecordedFile.path("rows.pt")])
        #expect(rows.indices.map(rows.id) == ["a", "b", "c"])
    }

    @Test func aConversation() throws {
        let set = try ActivationSet(paths: [RecordedFile.path("conversation.pt")])
        #expect(set.count == 1 && set.length(0) == 6 && set.id(0) == "conversation")
        #expect(set[0].count == 4 && set[0].position(0) == 2, "loss_mask hides the first two")
        #expect(set.tokenText(0, position: 2) == "#9")
    }

    @Test(arguments: [
        ("pooled.pt", "pooled states in .pt", ElementType.f32), ("Xy.npz", "pooled states in .npz", .f32),
        ("ids.npz", "pooled states in .npz", .f16), ("labels.npz", "pooled states in .npz", .f32),
        ("X.npy", "pooled states in .npy", .f32),
    ])
    func pooledStates(name: String, form: String, type: ElementType) throws {
        let set = try ActivationSet(paths: [RecordedFile.path(name)])
        #expect(set.files[0].form.name == form && set.isPooled)
        try expectEqual(set, flat(type, offsets: Array(0...6), labels: [0, 1, 0, 1, 0, 1]), name)
        #expect(set.classes == (["labels.npz", "X.npy"].contains(name) ? ["no", "yes"] : nil))
        if name == "ids.npz" { #expect(set.id(5) == "s5é") }
    }

    @Test func labelsInAFileBesideAreNoDataInAFolder() throws {
        for name in ["X.npy", "X-y.npy"] { _ = try folder.write(RecordedFile.bytes(name), to: name) }
        let set = try ActivationSet(paths: [folder.path])
        #expect(set.count == 6 && set.classes == ["no", "yes"] && set.files.count == 1)
    }

    @Test func pooledSafetensors() throws {
        let values = RecordedFile.values
        let file = literalSafetensors([
            ("hidden_states", "F32", [6, 2], narrow(values.span, as: .f32)),
            ("labels", "I32", [6], [0, 1, 0, 1, 0, 1].flatMap { [$0, 0, 0, 0] }),
        ])
        let set = try ActivationSet(paths: [folder.write(file, to: "pooled.safetensors")])
        #expect(set.files[0].form.name == "pooled states")
        try expectEqual(set, flat(offsets: Array(0...6), labels: [0, 1, 0, 1, 0, 1]), "safetensors")
    }

    @Test(arguments: [
        ("bfloat16.npy", ElementType.bf16, "one sequence in .npy"), ("big.npy", .f32, "one sequence in .npy"),
        ("fortran.npy", .f32, "one sequence in .npy, float64 rounded to float32"),
    ])
    func arraysInOtherOrders(name: String, type: ElementType, form: String) throws {
        let set = try ActivationSet(paths: [RecordedFile.path(name)])
        #expect(set.files[0].form.name == form)
        try expectEqual(set, flat(type, offsets: [0, 6], labels: nil), name)
        // A matrix alone is what is asked for.
        let pooled = try ActivationSet(
            paths: [RecordedFile.path(name)], readers: [PooledReader(isAsked: true)] + activationReaders)
        #expect(pooled.count == 6 && pooled.isPooled)
    }

    // Layers by the model's numbers: 6 holds the states, 10 twice as much.
    @Test func layersOfLmprobe() throws {
        let paths = (0..<3).map { RecordedFile.path("lmprobe-\($0).safetensors") }
        try expectEqual(ActivationSet(paths: paths, layers: [6]), flat(labels: nil), "lmprobe")
        let both = try ActivationSet(paths: paths, layers: [10, 6])
        var scratch: [Float] = []
        #expect(
            both[1].withTokens(0..<1, scratch: &scratch) { [$0[0], $0[1], $0[2], $0[3]] } == [10, -12, 5, -6])
        #expect(both.layers?.description == "layers 10,6" && both.id(1) == "lmprobe-1")
        for (layers, words) in [
            (nil, "--layer to choose 6 or 10"), ([7], "expected layer 7, found layers 6, 10"),
        ] {
            let error = try #require(throws: DataError.self) {
                try ActivationSet(paths: paths, layers: layers)
            }
            #expect(error.rule == .layers && error.description.contains(words))
        }
    }

    @Test func aFolderOfProbelab() throws {
        let set = try ActivationSet(paths: [RecordedFile.path("probelab")], layers: [6])
        #expect(set.indices.map(set.length) == [2, 1, 3] && set[2].count == 2 && set[2].position(0) == 1)
        #expect(set.files[0].form.name == "layers in tensors of their own in memmap_v1")
        var scratch: [Float] = []
        #expect(set[2].withTokens(0..<2, scratch: &scratch) { [$0[0], $0[3]] } == [0, 12])
        for name in ["meta.json", "offsets.bin", "detection_mask.bin", "layer_10.bin", "layer_6.bin"] {
            _ = try folder.write(RecordedFile.bytes("probelab/" + name), to: name)
        }
        #expect(try ActivationSet(paths: [folder.path], layers: [10]).count == 3)
        _ = try folder.write([0, 0], to: "layer_6.bin")
        let error = try #require(throws: DataError.self) {
            try ActivationSet(paths: [folder.path], layers: [10])
        }
        #expect(error.description.contains("layer_6.bin: expected the bytes of BF16 [6, 2], found 2 bytes"))
    }

    @Test func whatIsNotReadSaysSo() throws {
        for (name, words) in [
            (
                "object.pt",
                "data.pkl, byte 301: expected names that tensors need, found numpy._core.multiarray._reconstruct; in Python"
            ),
            ("legacy.pt", "found an older file of torch.save; torch.save(torch.load(\"IN.pt\"), \"OUT.pt\")"),
        ] {
            let error = try #require(throws: DataError.self) {
                try ActivationSet(paths: [RecordedFile.path(name)])
            }
            #expect(error.description.contains(words), "\(error)")
        }
    }
}
