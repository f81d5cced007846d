import Foundation

/// Seconds of several runs of one thing.
struct Timing: Encodable {
    let seconds: [Double]

    var median: Double {
        let sorted = seconds.sorted()
        return (sorted[seconds.count / 2] + sorted[(seconds.count - 1) / 2]) / 2
    }
    var least: Double { seconds.min() ?? 0 }
    var most: Double { seconds.max() ?? 0 }

    /// Half the distance from the fastest to the slowest run, in percent of the median.
    var spread: Double { 50 * (most - least) / median }

    private enum CodingKeys: String, CodingKey { case median, least, most, runs }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(median, forKey: .median)
        try container.encode(least, forKey: .least)
        try container.encode(most, forKey: .most)
        try container.encode(seconds.count, forKey: .runs)
    }
}

/// Something to time: a run tells its own seconds, because a process or a run in another process has
/// parts that do not count.
struct Variant {
    let name: String
    let run: () throws -> Double

    init(_ name: String, _ body: @escaping () throws -> Void) {
        self.init(name: name, run: { try seconds(of: body) })
    }

    private init(name: String, run: @escaping () throws -> Double) {
        self.name = name
        self.run = run
    }

    /// One whose runs tell their seconds.
    static func clocked(_ name: String, by run: @escaping () throws -> Double) -> Variant {
        Variant(name: name, run: run)
    }
}

func seconds(of body: () throws -> Void) rethrows -> Double {
    let start = DispatchTime.now().uptimeNanoseconds
    try body()
    return Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9
}

/// Times things in turn, A B C A B C …, after one run of each that does not count: what the
/// machine does meanwhile hits all of them alike. What takes longer than two seconds runs
/// thrice, longer than twenty once.
func interleaved(_ rounds: Int, _ variants: [Variant]) throws -> [Timing] {
    let warmUp = try variants.map { try $0.run() }
    var seconds = [[Double]](repeating: [], count: variants.count)
    for round in 0..<rounds {
        for (i, variant) in variants.enumerated() where round < allowed(warmUp[i]) {
            seconds[i].append(try variant.run())
        }
    }
    return seconds.map(Timing.init)

    func allowed(_ seconds: Double) -> Int { seconds < 2 ? rounds : seconds < 20 ? 3 : 1 }
}

/// A loss or a metric in a note.
func thousandths(_ value: Double) -> String { String(format: "%.3f", value) }
