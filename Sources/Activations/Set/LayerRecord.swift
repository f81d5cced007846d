// Which layers hidden states are of, in the metadata of activation and probe files:
//
//     layer         6, or 10,14,20 side by side
//     layer_order   `stored` where these are numbers in a file of several (a server's dumps), counted from 0
//                   as it holds them; without it they are the model's own

/// Which layers of a model hidden states are of.
package struct LayerRecord: Sendable, Equatable, CustomStringConvertible {
    /// Their numbers, in the order in which they stand side by side.
    package let numbers: [Int]
    /// Whether they are counted as a file of several holds them, not as the model has them. The same
    /// number may then be another layer.
    package let areAsStored: Bool

    static let keys = ["layer", "layer_order"]

    package init(_ numbers: [Int], areAsStored: Bool) {
        (self.numbers, self.areAsStored) = (numbers, areAsStored)
    }

    /// What metadata say; nil where they name no layer.
    package init?(metadata: [String: String]) {
        guard let parts = metadata["layer"]?.split(separator: ",", omittingEmptySubsequences: false) else {
            return nil
        }
        let numbers = parts.compactMap { Int($0) }
        guard numbers.count == parts.count else { return nil }
        self.init(numbers, areAsStored: metadata["layer_order"] == "stored")
    }

    /// As metadata say it.
    package var metadata: [String: String] {
        ["layer": list].merging(areAsStored ? ["layer_order": "stored"] : [:]) { $1 }
    }

    /// "10,14", as `--layers` takes it.
    package var list: String { numbers.map(String.init).joined(separator: ",") }

    /// "layer 6", "layers 0,2 as stored".
    package var description: String {
        "layer\(numbers.count == 1 ? "" : "s") \(list)\(areAsStored ? " as stored" : "")"
    }
}

extension ActivationSet {
    /// The layers that all files hold; nil where they do not say, or differ.
    package var layers: LayerRecord? {
        files.allSatisfy { $0.layers == files[0].layers } ? files[0].layers : nil
    }

    /// The names of the forms that its files have.
    package var formNames: [String] { Set(files.filter { $0.form != .memory }.map(\.form.name)).sorted() }
}
