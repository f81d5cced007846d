// What single tokens have as text. With one probe:
//
//     jsonl   {"id": …, "prefix_logits": [[…], …], "attention": [[…], …], "contributions": [[[…], …], …], "tokens": […]}
//             a line a sequence: L×O, H×L and H×L×O; the latter two for probes that attend, `tokens` where the data
//             have texts or ids of them
//     csv     id,position,token,prefix_logit,attention.0,… a row a token, or prefix_logit_NAME, … a class
//
// With several, in jsonl under "probes" and their names, in csv with their names and a dot before the columns. A prefix
// without a token to look at has null, and an empty field.
import Activations
import Tensors

/// Turns what the tokens of one sequence have into bytes.
struct TokenScoreRows: Sendable {
    let format: ScoreFormat
    let probes: [Probe]
    let names: [String]
    let data: ActivationSet

    private var isSingle: Bool { probes.count == 1 }

    /// What comes before the rows.
    var head: [UInt8] {
        guard format == .csv else { return [] }
        var columns = ["id", "position", "token"]
        for (name, probe) in zip(names, probes) {
            let prefix = isSingle ? "" : name + "."
            let outputs = probe.task.outputs
            columns +=
                outputs == 1
                ? [prefix + "prefix_logit"]
                : (probe.task.classes ?? (0..<outputs).map(String.init)).map { prefix + "prefix_logit_" + $0 }
            if probe.configuration.attends {
                columns += (0..<probe.configuration.heads).map { "\(prefix)attention.\($0)" }
            }
        }
        var text = RowText()
        text.writeJoined(columns) { $1.writeCSV($0) }
        text.write("\r\n")
        return text.bytes
    }

    /// The rows of a sequence, one result a probe.
    func rows(_ index: Int, _ scores: [TokenScores]) -> [UInt8] {
        var text = RowText()
        if format == .csv { addCSV(index, scores, to: &text) } else { addJSON(index, scores, to: &text) }
        return text.bytes
    }

    private func addCSV(_ index: Int, _ scores: [TokenScores], to text: inout RowText) {
        var id = RowText()
        id.writeCSV(data.id(index))
        let namesTokens = data.namesTokens
        for position in 0..<data.length(index) {
            text.write(id)
            text.write(",\(position),")
            if namesTokens { text.writeCSV(data.tokenText(index, position: position)) }
            for scores in scores {
                for logit in scores.prefixLogits[row: position] {
                    text.write(",")
                    if !logit.isNaN { logit.write(to: &text) }
                }
                guard let attention = scores.attention else { continue }
                for a in attention[row: position] {
                    text.write(",")
                    a.write(to: &text)
                }
            }
            text.write("\r\n")
        }
    }

    private func addJSON(_ index: Int, _ scores: [TokenScores], to text: inout RowText) {
        text.write("{\"id\":")
        text.writeJSON(data.id(index))
        if isSingle {
            add(scores[0], probes[0].task.outputs, to: &text, after: ",")
        } else {
            text.write(",\"probes\":{")
            text.writeJoined(probes.indices) { i, text in
                text.writeJSON(names[i])
                text.write(":")
                add(scores[i], probes[i].task.outputs, to: &text, after: "{")
                text.write("}")
            }
            text.write("}")
        }
        if data.namesTokens {
            text.write(",\"tokens\":")
            text.writeList(0..<data.length(index)) { position, text in
                text.writeJSON(data.tokenText(index, position: position))
            }
        }
        text.write("}\n")
    }

    private func add(_ scores: TokenScores, _ outputs: Int, to text: inout RowText, after opening: String) {
        text.write(opening)
        text.write("\"prefix_logits\":")
        text.writeList(0..<scores.prefixLogits.rows) { position, text in
            text.writeList(scores.prefixLogits[row: position]) { logit, text in
                if logit.isNaN { text.write("null") } else { logit.write(to: &text) }
            }
        }
        guard let attention = scores.attention, let contributions = scores.contributions else { return }
        text.write(",\"attention\":")
        text.writeList(0..<attention.columns) { h, text in
            text.writeList(0..<attention.rows) { attention[$0, h].write(to: &$1) }
        }
        text.write(",\"contributions\":")
        text.writeList(0..<attention.columns) { h, text in
            text.writeList(0..<attention.rows) { position, text in
                text.writeList(0..<outputs) { contributions[position, h * outputs + $0].write(to: &$1) }
            }
        }
    }
}
