internal import Storage

/// Data that breaks a rule: in which file and where, what was expected and what was found.
public struct DataError: Error, Equatable, CustomStringConvertible {
    /// The rules that data can break.
    public enum Rule: String, Sendable, CaseIterable {
        /// The file ends before its content does.
        case truncated
        /// The first eight bytes are no plausible header length.
        case headerLength
        /// The header is no JSON object of tensors.
        case header
        /// A tensor's bytes lie outside the file, do not fit its shape, or leave a gap.
        case tensorBounds
        /// Two tensors share bytes.
        case tensorOverlap
        /// A tensor that must be there is not.
        case missingTensor
        /// A tensor has a type that its role does not allow.
        case elementType
        /// A tensor has a shape that its role does not allow.
        case shape
        /// Required metadata is missing or has a value that is not allowed.
        case metadata
        /// Offsets do not start at 0, fall, or do not end where they must.
        case offsets
        /// A sequence has no token that a probe may look at.
        case emptySequence
        /// An attention mask has another value than 0 and 1, or a gap between tokens.
        case attentionMask
        /// A layer that was asked for is not there, or it is not said which of several to take.
        case layers
        /// An array is stored in a way that is not read: a pickled object, a name or a size that no
        /// array has.
        case array
        /// A table of labels has no column that it must have, or a row that is not what it must be.
        case table
        /// A label is outside the classes, or no number.
        case labels
        /// There is nothing to tell apart: one class only.
        case singleClass
        /// A hidden state is NaN or infinite.
        case nonFinite
        /// Hidden states are finite, and their product with the probe's weights is not, or training diverged.
        case overflow
        /// Files, or a probe and a file, do not fit together.
        case mismatch
        /// The data may be good, but there is no place on disk to unpack them in.
        case noRoom
    }

    /// The rule that is broken.
    public let rule: Rule
    /// The file, or what stands for one in memory.
    public let path: String
    /// Where in the file: a tensor, an element, a sequence; nil for the whole.
    public let place: String?
    /// What was expected.
    public let expected: String
    /// What was found.
    public let found: String

    /// An error with all its parts.
    package init(_ rule: Rule, _ path: String, _ place: String? = nil, expected: String, found: String) {
        self.rule = rule
        self.path = path
        self.place = place
        self.expected = expected
        self.found = found
    }

    /// One sentence: "train.safetensors: tensor offsets: expected 0 first, found 3".
    public var description: String {
        "\(path): \(place.map { $0 + ": " } ?? "")expected \(expected), found \(found)"
    }
}

extension DataError {
    /// The error for a file that is shorter than when it was opened, or gone, or an archive that cannot be
    /// unpacked; nil for others.
    init?(ifCut file: ByteSource) {
        switch file.damage {
        case .damaged(let found):
            self.init(.truncated, file.path, expected: "an archive that can be unpacked", found: found)
            return
        case .noRoom(let error):
            self.init(
                .noRoom, file.path, expected: "room to unpack it in TMPDIR or /var/tmp", found: "\(error)")
            return
        case .cut, nil: break
        }
        let length = file.presentLength
        guard length != file.count else {
            guard file.damage != nil else { return nil }
            self.init(
                .truncated, file.path, expected: "\(file.count) bytes whenever they are read",
                found: "fewer: the file was cut, or its disk failed, while it was read")
            return
        }
        self.init(
            .truncated, file.path, expected: "\(file.count) bytes as when it was opened",
            found: length.map { "\($0): the file was cut while it was read" }
                ?? "another file or none: it was replaced or deleted while it was read")
    }
}
