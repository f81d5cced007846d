import AttentionProbes
@testable import ProbeSelection
import Synchronization
import TestSupport
import Testing

@Suite("Selection of a layer")
struct LayerSelectionTests {
    private func layer(_ number: Int, of data: ActivationSet) throws -> ActivationSet {
        try #require(data.taking(LayerRecord([number], areAsStored: false)))
    }

    // Two layers know as much: the earlier is chosen, and everything is as if it had been selected alone.
    @Test func everyLayerIsSelectedAsItWouldBeAlone() throws {
        let data = try layeredSet([9, 3, 6]) { layer, _ in layer == 1 ? 0 : 5 }
        let selection = smallSelection()
        let result = try selection.run(eachLayerOf: data, bootstrap: Bootstrap(replicates: 50))
        #expect(result.layers.map(\.layers) == [[3], [6], [9]])
        for (place, number) in [3, 6, 9].enumerated() {
            let alone = try selection.run(layer(number, of: data))
            let found = result.entries[place]
            #expect(found.pooled == alone.chosen.pooled && found.folds == alone.chosen.folds)
            #expect(found.outOfFold == alone.chosen.outOfFold)
            #expect(found.candidate == alone.chosen.candidate && found.replicates == alone.chosen.replicates)
            let row = result.layers[place]
            #expect(row.name == alone.chosen.name && row.value == alone.chosen.pooled)
            #expect(row.candidates?.map(\.pooled) == alone.rows.map(\.pooled))
            let (low, high) = (try #require(row.low), try #require(row.high))
            #expect(low <= row.value! && row.value! <= high && (low < high || row.value == 1))
            guard number == 6 else { continue }
            #expect(result.probe.parameters == alone.probe.parameters)
            #expect(result.probe.training["layer"] == "6" && alone.probe.training["layer"] == "6")
            #expect(result.folds.assignment == alone.folds.assignment)
        }
        #expect(result.layers.map(\.chosen) == [false, true, false])
        #expect(result.chosen.name.hasPrefix("layer 6: attention, "))
        let deployed = try result.deployed(data)
        let table = try #require(deployed.training[.selection])
        #expect(table.layers?.map(\.value) == result.layers.map(\.value))
        #expect(try result.outOfFoldRows(data, by: deployed).count == 80)
    }

    // Half of the needles are to be seen in one layer, half in the other.
    @Test func anEnsembleAcrossLayersIsOneMoreContender() throws {
        let data = try layeredSet([4, 8, 12], count: 160) { layer, index in
            layer == 2 ? 0 : (index % 4 == 1) == (layer == 0) ? 9 : 0
        }
        var selection = smallSelection()
        (selection.mostRows, selection.isStreaming) = (100, true)
        let result = try selection.run(eachLayerOf: data, bootstrap: Bootstrap(replicates: 20))
        #expect(result.layers.count == 4 && result.layers[3].chosen == true)
        #expect(result.layers[3].layers == [4, 8] && result.layers[3].candidates == nil)
        for row in result.layers.dropLast() { #expect(row.value! < result.layers[3].value!) }
        let probe = result.probe
        #expect(probe.configuration.partLayers == [0, 1] && probe.width == 16)
        #expect(probe.training["layer"] == "4,8")
        #expect(probe.parts.map { $0.training["layer"] } == ["4", "8"])
        #expect(result.chosen.name.hasPrefix("ensemble of layer 4: attention, "))
        // Its parts are trained as they would be alone.
        let member = result.chosen.parts[1].entry
        var alone = Selection([member.candidate])
        (alone.folds, alone.average) = (4, member.replicates)
        #expect(try alone.run(layer(8, of: data)).probe.parameters == probe.parts[1].parameters)
        let own = try #require(data.taking(LayerRecord([4, 8], areAsStored: false)))
        let largest = try #require(result.largestLogits)
        let outputs = result.chosen.outOfFold!
        for row in data.indices { #expect(largest[row] >= outputs[row, 0] - 1e-4) }
        let score = try #require(try probe.evaluate(own).auroc)
        let single = try #require(try probe.parts[0].evaluate(layer(4, of: data)).auroc)
        #expect(score > single)
    }

    @Test func anInterruptedSelectionGoesOnWhereItWas() throws {
        let folder = try TemporaryFolder()
        let data = try layeredSet([1, 2]) { layer, _ in layer == 0 ? 5 : 6 }
        var selection = smallSelection()
        selection.mostRows = 40
        let whole = try selection.run(eachLayerOf: data, bootstrap: Bootstrap(replicates: 10))
        let trainings = Mutex(0)
        let most = 30
        #expect(throws: CancellationError.self) {
            try selection.run(
                eachLayerOf: data, bootstrap: Bootstrap(replicates: 10), journal: folder("journal"),
                progress: { _ in trainings.withLock { $0 += 1 } },
                isInterrupted: { trainings.withLock { $0 >= most } })
        }
        let kept = Mutex(0)
        let others = Mutex(0)
        let resumed = try selection.run(
            eachLayerOf: data, bootstrap: Bootstrap(replicates: 10), journal: folder("journal"),
            progress: { report in
                kept.withLock { $0 = report.kept }
                others.withLock { $0 += 1 }
            })
        #expect(kept.withLock { $0 } >= most)
        let all = Mutex(0)
        _ = try selection.run(
            eachLayerOf: data, bootstrap: Bootstrap(replicates: 10),
            progress: { _ in all.withLock { $0 += 1 } })
        #expect(others.withLock { $0 } <= all.withLock { $0 } - most + 1)
        #expect(
            resumed.probe.parameters == whole.probe.parameters
                && resumed.layers.map(\.value) == whole.layers.map(\.value))
    }

    @Test func statesOfOneLayerAreRefused() throws {
        let data = try layeredSet([7]) { _, _ in 3 }
        #expect {
            try smallSelection().run(eachLayerOf: data)
        } throws: {
            "\($0)".hasSuffix("expected several layers, side by side, found layer 7")
        }
    }
}
