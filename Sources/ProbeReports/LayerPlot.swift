// A metric by layer: a dot a layer with its interval, and behind them an ensemble across layers.
import ProbeSelection

/// What was found of a layer, or of an ensemble across layers.
struct LayerPoint {
    let layers: [Int]
    let name: String
    let value: Double
    let low, high: Double?
    let isChosen: Bool

    var isEnsemble: Bool { layers.count > 1 }
    var numbers: String { layers.map(String.init).joined(separator: ", ") }
}

extension Plot {
    /// - Parameters:
    ///   - judgement: how the metric was found, a sentence.
    ///   - points: the layers in their order, at least one, and ensembles behind them.
    init(
        layers id: String, _ title: String, _ metric: String, _ judgement: String, _ points: [LayerPoint],
        range: ClosedRange<Double>
    ) {
        let chosen = points.first(where: \.isChosen)
        // About as many numbers as have room.
        let step = (points.count + 15) / 16
        self.init(
            id, title,
            judgement
                + (chosen.map { point in
                    point.isEnsemble
                        ? " Cross-validation chose an ensemble across layers \(point.numbers)."
                        : " Cross-validation chose layer \(point.numbers)."
                } ?? ""),
            x: Axis(0...Double(points.count), "layer"), y: Axis(range, metric, isRounded: true),
            table: Table(
                title, ["layer", "probe", metric, "95 % from", "to", "chosen"], names: 2,
                points.map {
                    [
                        $0.numbers, $0.name, fixed($0.value, 4), fixed($0.low, 4), fixed($0.high, 4),
                        $0.isChosen ? "chosen" : "",
                    ]
                }),
            xNames: points.enumerated().map { place, point in
                point.isEnsemble ? "ens." : place % step == 0 ? point.numbers : ""
            })
        func place(_ index: Int) -> Double { Double(index) + 0.5 }
        let single = points.indices.filter { !points[$0].isEnsemble }
        line(single.map { (place($0), points[$0].value) }, "thin")
        for (index, point) in points.enumerated() {
            let style = point.isChosen ? "accent" : point.isEnsemble ? "positive" : "muted"
            if let low = point.low, let high = point.high {
                whisker((place(index), low), (place(index), high), "whisker \(style)")
            }
            let name =
                point.isChosen
                ? "chosen" : point.isEnsemble ? "ensemble across layers \(point.numbers)" : nil
            dots([(place(index), point.value)], style, name)
        }
    }
}

extension [LayerPoint] {
    /// The values and their intervals; nil without any.
    var range: ClosedRange<Double>? {
        let numbers = flatMap { [$0.value, $0.low, $0.high].compactMap(\.self) }
        return numbers.min().map { $0...numbers.max()! }
    }
}

extension SelectionTable {
    /// The metric by layer; nil where one layer alone was looked at.
    var layerPlot: Plot? {
        let points = (layers ?? []).compactMap { row in
            row.value.map {
                LayerPoint(
                    layers: row.layers, name: row.name, value: $0, low: row.low, high: row.high,
                    isChosen: row.chosen == true)
            }
        }
        guard let range = points.range else { return nil }
        return Plot(
            layers: "layers", "By layer", metric,
            "The best candidate of each layer, all folds together, with 95 % intervals.", points, range: range
        )
    }
}

extension Comparison.DataSet {
    /// The metric by layer of every model, all with the same axis; none where layers were not compared.
    func layerPlots(_ id: String) -> [Plot] {
        let models = rows.compactMap(\.model).reduce(into: [String]()) {
            if !$0.contains($1) { $0.append($1) }
        }
        let points = models.map { model in
            rows.filter { $0.model == model }.compactMap { row in
                row.value.map {
                    LayerPoint(
                        layers: row.layers ?? [], name: row.name, value: $0, low: row.low, high: row.high,
                        isChosen: row.chosen == true)
                }
            }
        }
        guard let range = points.flatMap(\.self).range else { return [] }
        let judgement =
            (crossValidated == true
                ? "Out-of-fold scores of each layer" : "Each layer on the test data")
            + ", with 95 % intervals."
        return zip(models, points).enumerated().filter { !$1.1.isEmpty }.map { place, own in
            Plot(
                layers: "\(id)-layers-\(place)", "\(own.0.isolated) by layer", metric, judgement, own.1,
                range: range)
        }
    }
}
