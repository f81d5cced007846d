public import Testing

/// Runs the tool and expects one sentence on standard error, this exit code, nothing on standard
/// output and nothing new in the folder.
public func expectFailure(
    _ status: Int32, _ words: String, in folder: TemporaryFolder, _ arguments: [String],
    location: SourceLocation = #_sourceLocation
) throws {
    let before = try folder.names
    let result = try Command.start(arguments).wait()
    #expect(result.status == status && result.error.contains(words), "\(result)", sourceLocation: location)
    #expect(result.output.isEmpty, sourceLocation: location)
    #expect(result.error.split(separator: "\n").count == 1, "\(result.error)", sourceLocation: location)
    #expect(try folder.names == before, sourceLocation: location)
}
