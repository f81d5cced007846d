/// Values by name, in an order of their own. To find one takes a look at each: files have few, and of those a
/// dictionary takes longer to make than to ask.
package struct NamedValues<Value: Sendable>: Sendable, ExpressibleByDictionaryLiteral {
    /// The names with their values.
    package private(set) var elements: [(name: String, value: Value)]

    /// None.
    init() { elements = [] }

    /// Those of a dictionary, in any order.
    init(_ values: [String: Value]) { elements = values.map { (name: $0.key, value: $0.value) } }

    /// - Precondition: no two names are the same.
    package init(dictionaryLiteral elements: (String, Value)...) {
        self.elements = elements.map { (name: $0.0, value: $0.1) }
        precondition(Set(names).count == names.count, "a name twice")
    }

    /// The names, in order.
    package var names: [String] { elements.map(\.name) }

    /// The value of a name; nil for others. O(n).
    package subscript(name: String) -> Value? { elements.first { $0.name == name }?.value }

    /// The same names with other values.
    func mapValues<Other>(_ body: (Value) -> Other) -> NamedValues<Other> {
        NamedValues<Other>(elements.map { (name: $0.name, value: body($0.value)) })
    }

    private init(_ elements: [(name: String, value: Value)]) { self.elements = elements }

    /// Adds a value at the end; false where the name is there already. O(n).
    mutating func add(_ name: String, _ value: Value) -> Bool {
        guard self[name] == nil else { return false }
        elements.append((name, value))
        return true
    }
}
