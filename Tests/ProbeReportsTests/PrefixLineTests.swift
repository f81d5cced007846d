import AttentionProbes
import Foundation
import TestSupport
import Testing

@testable import ProbeReports

@Suite("The score of the text so far on a page")
struct PrefixLineTests {
    private func documents(_ probe: Probe, _ data: ActivationSet) throws -> [String: Any] {
        let html = try ProbeReport(probe, data).html
        let block = /(?s)<script type="application\/json"[^>]*>(.*?)<\/script>/
        let json = try #require(html.firstMatch(of: block))
        return try #require(
            try JSONSerialization.jsonObject(with: Data(String(json.1).utf8)) as? [String: Any])
    }

    /// Numbers of a document are those of the library, in base64.
    @Test func ofTwoClasses() throws {
        let data = try needleSet(count: 6, width: 3, lengths: 2...9)
        let probe = Probe(
            .attention(heads: 1), width: 3, task: try data.task(),
            parameters: randomFloats(8, seed: 1), threshold: 0.25)
        let page = try documents(probe, data)
        #expect(page["threshold"] as? Double == 0.25)
        for document in try #require(page["documents"] as? [[String: Any]]) {
            let index = try #require(data.indices.first { data.id($0) == document["id"] as? String })
            let text = try #require(document["prefixes"] as? String)
            let bytes = try #require(Data(base64Encoded: text))
            let values = stride(from: 0, to: bytes.count, by: 4).map { at in
                Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[at + $1]) << (8 * UInt32($1)) })
            }
            let logits = try probe.tokenScores(data, sequence: index).prefixLogits.storage
            #expect(values == logits.map { probe.probabilities(CollectionOfOne($0))[0] })
        }
    }

    @Test func ofSeveralClasses() throws {
        let data = try needleSet(count: 4, width: 2)
        let probe = Probe(
            .mean, width: 2, task: .regression(outputs: 1), parameters: [1, 0, 0])
        let plain = try ActivationSet(data.files.map { ActivationFile($0.batch) })
        let page = try documents(probe, plain)
        #expect(page["threshold"] == nil)
        #expect(try #require(page["documents"] as? [[String: Any]]).allSatisfy { $0["prefixes"] == nil })
    }
}
