/// A key of JSON: those of metrics are known when they are registered, not to the compiler.
package struct MetricKey: CodingKey, ExpressibleByStringLiteral {
    package let stringValue: String
    package var intValue: Int? { nil }

    package init(_ key: String) { stringValue = key }
    package init(stringLiteral key: String) { stringValue = key }
    package init(stringValue key: String) { stringValue = key }
    package init?(intValue: Int) { nil }
}
