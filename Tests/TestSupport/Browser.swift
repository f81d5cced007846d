public import Foundation

/// Headless Chromium, driven over the WebDriver protocol (W3C) by Debian's chromium-driver.
public final class Browser {
    private static let programs = ["/usr/bin/chromium", "/usr/bin/chromedriver", "/usr/bin/curl"]

    /// Whether Chromium and its driver are there.
    public static let isInstalled = programs.allSatisfy(FileManager.default.isExecutableFile)

    private let driver: Driver
    private let session: String

    /// Starts a browser that keeps what its console and network say.
    public init() throws {
        driver = try Driver(Self.programs[1])
        struct Session: Decodable { let sessionId: String }
        let options: [String: Any] = [
            "binary": Self.programs[0],
            "args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--window-size=1280,900",
            ],
        ]
        let capabilities: [String: Any] = [
            "browserName": "chrome", "goog:chromeOptions": options,
            "goog:loggingPrefs": ["browser": "ALL", "performance": "ALL"],
        ]
        let made: Session = try driver.send(
            "POST", "session", ["capabilities": ["alwaysMatch": capabilities]])
        session = made.sessionId
    }

    /// Opens a file and waits until it is there.
    public func open(_ path: String) throws {
        try command("url", ["url": URL(fileURLWithPath: path).absoluteString])
    }

    /// What a function body returns in the page.
    public func run<T: Decodable>(_ script: String) throws -> T {
        try driver.send("POST", "session/\(session)/execute/sync", ["script": script, "args": []])
    }

    /// Calls a method of the DevTools protocol.
    public func devTools(_ method: String, _ parameters: [String: Any]) throws {
        try command("goog/cdp/execute", ["cmd": method, "params": parameters])
    }

    /// Presses keys in what has the focus.
    public func press(_ keys: String) throws {
        let actions = keys.flatMap { key in
            ["keyDown", "keyUp"].map { ["type": $0, "value": String(key)] }
        }
        try command("actions", ["actions": [["type": "key", "id": "keys", "actions": actions]]])
    }

    /// What the console said since the last question.
    public func console() throws -> [String] { try log("browser").map(\.message) }

    /// Addresses that were asked for since the last question, without those that the page's policy refused.
    public func requests() throws -> [String] {
        let events = try log("performance").map {
            try JSONDecoder().decode(NetworkEvent.self, from: Data($0.message.utf8)).message
        }
        let refused = events.filter { $0.params?.blockedReason == "csp" }.map(\.params?.requestId)
        return events.filter {
            $0.method == "Network.requestWillBeSent" && !refused.contains($0.params?.requestId)
        }
        .compactMap(\.params?.request?.url)
    }

    /// A picture of the window, as PNG.
    public func screenshot() throws -> Data {
        let text: String = try driver.send("GET", "session/\(session)/screenshot", nil)
        return Data(base64Encoded: text) ?? Data()
    }

    /// Ends the browser.
    public func quit() throws {
        struct Nothing: Decodable {}
        let _: Nothing? = try driver.send("DELETE", "session/\(session)", nil)
    }

    private struct Entry: Decodable { let message: String }

    private func log(_ type: String) throws -> [Entry] {
        try driver.send("POST", "session/\(session)/se/log", ["type": type])
    }

    private func command(_ name: String, _ body: [String: Any]) throws {
        struct Anything: Decodable { init(from decoder: any Decoder) {} }
        let _: Anything? = try driver.send("POST", "session/\(session)/\(name)", body)
    }
}

// What the performance log holds of the network.
private struct NetworkEvent: Decodable {
    struct Message: Decodable {
        let method: String
        let params: Parameters?
    }
    struct Parameters: Decodable {
        struct Request: Decodable { let url: String }
        let requestId, blockedReason: String?
        let request: Request?
    }
    let message: Message
}

/// What the driver says where something went wrong.
public struct BrowserError: Error, CustomStringConvertible {
    public let description: String
}

// The driver's process, on a port that it chose, and questions to it.
private final class Driver {
    private let process: RunningCommand
    private let address: String

    init(_ program: String) throws {
        process = try RunningCommand(URL(fileURLWithPath: program), ["--port=0"], NSTemporaryDirectory())
        let deadline = Date(timeIntervalSinceNow: 20)
        var port: Substring?
        while port == nil, Date() < deadline {
            usleep(20_000)
            port = process.output.firstMatch(of: /started successfully on port (\d+)/)?.1
        }
        guard let port else {
            process.terminate()
            throw BrowserError(description: "\(program) did not start: \(process.output)\(process.error)")
        }
        address = "http://127.0.0.1:\(port)/"
    }

    // With it go its browsers.
    deinit {
        _ = try? curl(["\(address)shutdown"])
        _ = process.wait()
    }

    func send<T: Decodable>(_ method: String, _ path: String, _ body: [String: Any]?) throws -> T {
        let text = try body.map {
            String(decoding: try JSONSerialization.data(withJSONObject: $0), as: UTF8.self)
        }
        let data = text.map { ["--data-raw", $0] } ?? []
        let result = try curl(["--request", method, "\(address)\(path)"] + data)
        guard result.status == 0 else {
            throw BrowserError(description: "\(path): \(result.output)\(result.error)")
        }
        return try JSONDecoder().decode(Answer<T>.self, from: Data(result.output.utf8)).value
    }

    // Foundation's own client does not read the headers that the driver answers with.
    private func curl(_ arguments: [String]) throws -> CommandResult {
        let options = ["--silent", "--show-error", "--fail-with-body", "--max-time", "30", "--noproxy", "*"]
        return try Command.run("/usr/bin/curl", options + arguments, in: NSTemporaryDirectory())
    }
}

private struct Answer<Value: Decodable>: Decodable { let value: Value }
