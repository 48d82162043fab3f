// SPDX-License-Identifier: Apache-2.0

/// Figures in Prometheus's text format, version 0.0.4.
struct MetricsText {
    private(set) var text = ""

    /// - Parameter samples: label pairs, and the value.
    mutating func add(
        _ name: String, _ kind: String, _ help: String,
        _ samples: [(labels: [(String, String)], value: Double)]
    ) {
        guard !samples.isEmpty else { return }
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n"
        for sample in samples { line(name, sample.labels, sample.value) }
    }

    mutating func add(_ name: String, _ kind: String, _ help: String, _ value: Double) {
        add(name, kind, help, [([], value)])
    }

    mutating func add(
        _ name: String, _ help: String, _ histograms: [(labels: [(String, String)], histogram: Histogram)]
    ) {
        guard !histograms.isEmpty else { return }
        text += "# HELP \(name) \(help)\n# TYPE \(name) histogram\n"
        for (labels, histogram) in histograms {
            var count: UInt64 = 0
            for (bound, more) in zip(Histogram.bounds, histogram.counts) {
                count += more
                line("\(name)_bucket", labels + [("le", MetricsText.number(bound))], Double(count))
            }
            line("\(name)_bucket", labels + [("le", "+Inf")], Double(histogram.count))
            line("\(name)_sum", labels, histogram.sum)
            line("\(name)_count", labels, Double(histogram.count))
        }
    }

    private mutating func line(_ name: String, _ labels: [(String, String)], _ value: Double) {
        let shown = labels.map { "\($0.0)=\"\(MetricsText.escaped($0.1))\"" }.joined(separator: ",")
        text += "\(name)\(labels.isEmpty ? "" : "{\(shown)}") \(MetricsText.number(value))\n"
    }

    static func escaped(_ text: String) -> String {
        var out = ""
        for character in text.unicodeScalars {
            switch character {
            case "\\": out += "\\\\"
            case "\"": out += "\\\""
            case "\n": out += "\\n"
            default: out.unicodeScalars.append(character)
            }
        }
        return out
    }

    private static func number(_ value: Double) -> String {
        value == value.rounded() && value.magnitude < 1e15 ? "\(Int64(value))" : "\(value)"
    }
}

/// Of seconds.
struct Histogram: Sendable {
    static let bounds: [Double] = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800]

    private(set) var counts = [UInt64](repeating: 0, count: bounds.count)
    private(set) var count: UInt64 = 0
    private(set) var sum = 0.0

    mutating func add(_ seconds: Double) {
        count += 1
        sum += seconds
        if let index = Histogram.bounds.firstIndex(where: { seconds <= $0 }) { counts[index] += 1 }
    }
}
