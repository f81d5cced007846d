import Foundation

/// Seconds of several runs of one thing.
struct Timing: Encodable {
    let seconds: [Double]

    var median: Double { seconds.sorted()[seconds.count / 2] }
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

/// Times things in turn, A B C A B C …, after one run of each that does not count: what the
/// machine does meanwhile hits all of them alike.
func interleaved(_ rounds: Int, _ bodies: [() throws -> Void]) throws -> [Timing] {
    var seconds = [[Double]](repeating: [], count: bodies.count)
    for round in 0...rounds {
        for (i, body) in bodies.enumerated() {
            let start = DispatchTime.now().uptimeNanoseconds
            try body()
            let elapsed = Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9
            if round > 0 { seconds[i].append(elapsed) }
        }
    }
    return seconds.map(Timing.init)
}
