// What torch.save writes beside the bytes of tensors is a pickle: a program for a machine with a stack and a memo, which
// in Python may call anything. Here it makes values (`PickleValue`), names what is in `TorchName`, and calls nothing.
// Everything is bounded by the bytes of the pickle: each instruction makes at most one value, memo entries come in order,
// and no number in it is the size of anything.

/// Reads a pickle.
struct PickleReader {
    /// What is wrong with a pickle, and at which of its bytes.
    struct Fault: Error {
        let place: Int
        let expected: String
        let found: String
    }

    /// The longest pickle that is read, as the longest header of safetensors.
    static let longest = 100_000_000
    private static let mostMarks = 64
    private static let mostDepth = 16

    private let bytes: [UInt8]
    // Where the instruction that is being followed starts, and where the next byte is.
    private var start = 0
    private var place = 0
    private var stack: [PickleValue] = []
    // Sizes that the stack had at marks.
    private var marks: [Int] = []
    private var memo: [PickleValue] = []
    private var collections: [[PickleValue]] = []
    // How many collections each holds inside each other.
    private var depths: [UInt8] = []
    private var storages: [TorchStorage] = []
    private var tensors: [TorchTensor] = []

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The value of a pickle.
    ///
    /// - Throws: `Fault` where it is none, or has an instruction, a name or a call that tensors do not need.
    static func read(_ bytes: [UInt8]) throws(Fault) -> Pickle {
        var reader = PickleReader(bytes)
        return try reader.run()
    }

    private func fault(_ expected: String, _ found: String) -> Fault {
        Fault(place: start, expected: expected, found: found)
    }

    private mutating func run() throws(Fault) -> Pickle {
        while true {
            start = place
            let byte = try next(1)[place - 1]
            guard let opcode = PickleOpcode(rawValue: byte) else {
                throw fault("an instruction that tensors need", PickleOpcode.name(byte))
            }
            guard opcode != .stop else { break }
            try follow(opcode)
        }
        let root = try pop()
        return Pickle(root: root, collections: collections, storages: storages, tensors: tensors)
    }

    private mutating func follow(_ opcode: PickleOpcode) throws(Fault) {
        switch opcode {
        case .proto:
            let version = try number(1)
            guard (2...5).contains(version) else { throw fault("protocol 2 to 5", "\(version)") }
        case .frame: _ = try next(8)
        case .stop: break
        case .mark:
            guard marks.count < Self.mostMarks else {
                throw fault("at most \(Self.mostMarks) values inside each other", "more")
            }
            marks.append(stack.count)
        case .none: stack.append(.none)
        case .newTrue: stack.append(.flag(true))
        case .newFalse: stack.append(.flag(false))
        case .binInt: stack.append(.integer(Int(Int32(truncatingIfNeeded: try number(4)))))
        case .binInt1: stack.append(.integer(try number(1)))
        case .binInt2: stack.append(.integer(try number(2)))
        case .long1: stack.append(.integer(try long()))
        case .binFloat:
            let bits = try next(8).reduce(0) { $0 << 8 | UInt64($1) }
            stack.append(.number(Double(bitPattern: bits)))
        case .binUnicode: stack.append(.text(try text(number(4))))
        case .shortBinUnicode: stack.append(.text(try text(number(1))))
        case .emptyTuple: try push([], PickleValue.tuple)
        case .tuple: try push(popMarked(), PickleValue.tuple)
        case .tuple1: try push(pop(1), PickleValue.tuple)
        case .tuple2: try push(pop(2), PickleValue.tuple)
        case .tuple3: try push(pop(3), PickleValue.tuple)
        case .emptyList: try push([], PickleValue.list)
        case .append: try extend(by: pop(1), isDictionary: false)
        case .appends: try extend(by: popMarked(), isDictionary: false)
        case .emptyDictionary: try push([], PickleValue.dictionary)
        case .setItem: try extend(by: pop(2), isDictionary: true)
        case .setItems: try extend(by: popMarked(), isDictionary: true)
        case .binPut: try remember(number(1))
        case .longBinPut: try remember(number(4))
        case .memoize: try remember(memo.count)
        case .binGet: try recall(number(1))
        case .longBinGet: try recall(number(4))
        case .global: stack.append(.name(try name(line(), line())))
        case .stackGlobal:
            let parts = try pop(2)
            guard case .text(let module) = parts[0], case .text(let name) = parts[1] else {
                throw fault("a module and a name", "other values")
            }
            stack.append(.name(try self.name(module, name)))
        case .reduce: try call()
        case .build: try build()
        case .binPersistentID: try storage()
        }
    }

    // MARK: Bytes

    private mutating func next(_ count: Int) throws(Fault) -> ArraySlice<UInt8> {
        guard count <= bytes.count - place else {
            throw fault("\(count) bytes", "\(bytes.count - place): the pickle is cut short")
        }
        place += count
        return bytes[place - count..<place]
    }

    private mutating func number(_ count: Int) throws(Fault) -> Int {
        try next(count).reversed().reduce(0) { $0 << 8 | Int($1) }
    }

    // A number of up to 8 bytes, the last of which has its sign.
    private mutating func long() throws(Fault) -> Int {
        let count = try number(1)
        guard count <= 8 else { throw fault("a number of at most 8 bytes", "\(count)") }
        let bytes = try next(count)
        let sign: Int = bytes.last.map { $0 & 0x80 != 0 } == true ? -1 : 0
        return bytes.reversed().reduce(sign) { $0 << 8 | Int($1) }
    }

    private mutating func text(_ count: Int) throws(Fault) -> String {
        String(decoding: try next(count), as: UTF8.self)
    }

    private mutating func line() throws(Fault) -> String {
        let rest = bytes[place...]
        guard let end = rest.prefix(256).firstIndex(of: 0x0A) else {
            throw fault("a name in a line", "none that ends")
        }
        defer { place = end + 1 }
        return String(decoding: bytes[place..<end], as: UTF8.self)
    }

    // MARK: Stack and memo

    private mutating func push(_ values: [PickleValue], _ kind: (Int) -> PickleValue) throws(Fault) {
        stack.append(kind(collections.count))
        collections.append(values)
        depths.append(try depth(of: values))
    }

    private func depth(of values: [PickleValue]) throws(Fault) -> UInt8 {
        var deepest: UInt8 = 0
        for value in values {
            switch value {
            case .list(let index), .tuple(let index), .dictionary(let index):
                deepest = max(deepest, depths[index])
            default: break
            }
        }
        guard deepest < Self.mostDepth else {
            throw fault("at most \(Self.mostDepth) values inside each other", "more")
        }
        return deepest + 1
    }

    // What is above the last mark is there.
    private mutating func pop(_ count: Int) throws(Fault) -> [PickleValue] {
        guard stack.count - (marks.last ?? 0) >= count else {
            throw fault("\(count) values before it", "fewer")
        }
        defer { stack.removeLast(count) }
        return Array(stack[(stack.count - count)...])
    }

    private mutating func pop() throws(Fault) -> PickleValue { try pop(1)[0] }

    private mutating func popMarked() throws(Fault) -> [PickleValue] {
        guard let mark = marks.popLast() else { throw fault("a mark before it", "none") }
        defer { stack.removeLast(stack.count - mark) }
        return Array(stack[mark...])
    }

    private var top: PickleValue? { stack.count > marks.last ?? 0 ? stack.last : nil }

    private mutating func extend(by values: [PickleValue], isDictionary: Bool) throws(Fault) {
        switch (top, isDictionary) {
        case (.list(let index), false), (.dictionary(let index), true):
            guard !isDictionary || values.count % 2 == 0 else { throw fault("pairs", "a value alone") }
            depths[index] = max(depths[index], try depth(of: values))
            collections[index] += values
        default: throw fault(isDictionary ? "a dictionary for pairs" : "a list for values", "another value")
        }
    }

    private mutating func remember(_ index: Int) throws(Fault) {
        guard let top else { throw fault("a value to remember", "none") }
        guard index <= memo.count else { throw fault("memo entry \(memo.count)", "\(index)") }
        if index == memo.count { memo.append(top) } else { memo[index] = top }
    }

    private mutating func recall(_ index: Int) throws(Fault) {
        guard index < memo.count else { throw fault("one of \(memo.count) memo entries", "\(index)") }
        stack.append(memo[index])
    }

    // MARK: Tensors

    private func name(_ module: String, _ name: String) throws(Fault) -> TorchName {
        guard let found = TorchName(module: module, name: name) else {
            throw fault("names that tensors need", "\(module).\(name)")
        }
        return found
    }

    private mutating func call() throws(Fault) {
        let parts = try pop(2)
        guard case .name(let function) = parts[0], case .tuple(let index) = parts[1] else {
            throw fault("a call of what makes a tensor", "another")
        }
        let arguments = collections[index]
        // What a call has taken is not asked for again.
        collections[index] = []
        switch (function, arguments.first) {
        case (.orderedDictionary, nil): try push([], PickleValue.dictionary)
        case (.size, .tuple(let shape)?): stack.append(.tuple(shape))
        case (.parameter, .tensor(let tensor)?): stack.append(.tensor(tensor))
        case (.tensor, _), (.typedTensor, _): try tensor(arguments, isTyped: function == .typedTensor)
        default: throw fault("a call with the arguments that torch.save writes", "others")
        }
    }

    // (storage, offset, shape, strides, requires_grad, hooks), and behind these the type where the storage has none.
    private mutating func tensor(_ arguments: [PickleValue], isTyped: Bool) throws(Fault) {
        guard arguments.count >= (isTyped ? 7 : 4), case .storage(let storage) = arguments[0],
            case .integer(let offset) = arguments[1], let shape = integers(arguments[2]),
            let strides = integers(arguments[3]), shape.count == strides.count
        else { throw fault("the storage, place, shape and strides of a tensor", "other values") }
        var type = storages[storage].type
        if isTyped, case .name(.type(let own)) = arguments[6] { type = own }
        guard let type else { throw fault("the type of a tensor", "none") }
        stack.append(.tensor(tensors.count))
        tensors.append(
            TorchTensor(storage: storage, type: type, offset: offset, shape: shape, strides: strides))
    }

    private func integers(_ value: PickleValue) -> [Int]? {
        guard case .tuple(let index) = value else { return nil }
        let numbers = collections[index].compactMap {
            if case .integer(let number) = $0 { number } else { nil }
        }
        return numbers.count == collections[index].count && numbers.count <= 8 ? numbers : nil
    }

    // ("storage", type, key, device, count).
    private mutating func storage() throws(Fault) {
        guard case .tuple(let index) = try pop(), collections[index].count == 5,
            case .text("storage") = collections[index][0],
            case .name(.storage(let type)) = collections[index][1],
            case .text(let key) = collections[index][2], case .integer(let count) = collections[index][4]
        else { throw fault("a storage's type, key and size", "other values") }
        stack.append(.storage(storages.count))
        storages.append(TorchStorage(type: type, key: key, count: count))
    }

    // Attributes of an ordered dictionary, as a module's `_metadata`, are left out.
    private mutating func build() throws(Fault) {
        _ = try pop()
        guard case .dictionary = top else {
            throw fault("attributes of a dictionary", "those of another value")
        }
    }
}
