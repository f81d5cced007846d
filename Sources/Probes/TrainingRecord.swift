// What a probe file says of the probe's training. Metadata of safetensors are names and texts; what code asks of
// them it asks by a `Field`, which alone knows the name and how a value becomes a text. Each target declares the
// fields of what it does:
//
//     record[.optimizer] = .adamw        "optimizer": "adamw"
//     record[.lossCurve]                 "loss_curve": "[[1,0.69,null],…]", or nil where that cannot be read
private import FoundationEssentials

/// How a probe was trained, on what, and how it was selected, as its file tells.
public struct TrainingRecord: Sendable, Equatable, ExpressibleByDictionaryLiteral {
    /// Everything, as it stands in the metadata of the probe file.
    public private(set) var texts: [String: String]

    /// Names and texts.
    package init(_ texts: [String: String] = [:]) { self.texts = texts }

    /// Names and texts.
    ///
    /// - Precondition: no name is there twice.
    public init(dictionaryLiteral elements: (String, String)...) {
        texts = Dictionary(uniqueKeysWithValues: elements)
    }

    /// The text of a name; nil where there is none.
    public subscript(name: String) -> String? { texts[name] }

    /// The value of a field; nil where there is none, or its text says no such value.
    package subscript<Value>(field: Field<Value>) -> Value? {
        get { texts[field.name].flatMap(field.value) }
        set { texts[field.name] = newValue.map(field.text) }
    }

    /// Takes over everything from another record.
    package mutating func add(_ other: TrainingRecord) { texts.merge(other.texts) { $1 } }

    /// A name in the metadata, and the texts of its values.
    package struct Field<Value> {
        package let name: String
        let value: (String) -> Value?
        let text: (Value) -> String

        package init(
            _ name: String, value: @escaping (String) -> Value?,
            text: @escaping (Value) -> String
        ) {
            (self.name, self.value, self.text) = (name, value, text)
        }
    }
}

extension TrainingRecord.Field where Value: LosslessStringConvertible {
    /// A number, a text, true or false.
    package init(_ name: String) { self.init(name, value: { Value($0) }, text: { $0.description }) }
}

extension TrainingRecord.Field where Value: RawRepresentable<String> {
    /// One of several names.
    package init(_ name: String) { self.init(name, value: { Value(rawValue: $0) }, text: \.rawValue) }
}

extension TrainingRecord.Field where Value: Codable {
    /// JSON with its keys in order.
    package init(json name: String) {
        self.init(name) {
            try? JSONDecoder().decode(Value.self, from: Data($0.utf8))
        } text: { value in
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            // What these types hold are finite numbers and texts, which always have a form in JSON.
            return try! String(decoding: encoder.encode(value), as: UTF8.self)
        }
    }
}

extension TrainingRecord.Field<[String]> {
    /// The names of the files it was trained on.
    package static var data: Self { Self(list: "data") }
    /// The forms of these files.
    package static var form: Self { Self(list: "form") }

    package init(list name: String) {
        self.init(name) {
            $0.split(separator: ", ").map(String.init)
        } text: {
            $0.joined(separator: ", ")
        }
    }
}

extension TrainingRecord.Field<String> {
    /// The positive class, where `classes` stand in another order than the training data have them, so that
    /// labels without names cannot be read.
    package static var positive: Self { Self("positive") }
}

extension TrainingRecord.Field<String> {
    /// The expression that said which tokens it was to look at.
    package static var mask: Self { Self("mask") }
}

extension TrainingRecord.Field<Int> {
    /// Of how many probes it is the average.
    package static var averaged: Self { Self("averaged") }
}
