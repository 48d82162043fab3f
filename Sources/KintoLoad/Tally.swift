// SPDX-License-Identifier: Apache-2.0

/// What was seen, of one connection or of all.
struct Tally: Sendable {
    private(set) var requests = 0
    private(set) var ok = 0
    private(set) var kinds: [String: Int] = [:]
    private(set) var firstFailures: [String] = []
    private(set) var releases: [Int: Int] = [:]
    private(set) var outOfOrder = 0
    /// Nanoseconds from when the request was due to its whole response.
    private(set) var latencies: [Int64] = []
    /// Lines for `--samples`.
    private(set) var samples: [String] = []
    private var lastRelease: Int?
    var posts = 0
    var reconnects = 0

    var failed: Int { requests - ok }

    /// - Parameter isOrdered: a release number that goes down is noted.
    mutating func succeed(release: Int?, isOrdered: Bool, after latency: Int64) {
        requests += 1
        ok += 1
        latencies.append(latency)
        guard let release else { return }
        releases[release, default: 0] += 1
        guard isOrdered else { return }
        if let lastRelease, release < lastRelease { outOfOrder += 1 }
        lastRelease = release
    }

    mutating func fail(_ failure: RequestFailure, identifier: String, at offset: Int64) {
        requests += 1
        kinds[failure.kind, default: 0] += 1
        if firstFailures.count < 5 {
            firstFailures.append(
                "\(Self.decimal(offset / 1_000_000)) s: \(identifier): \(failure.kind): \(failure.detail)")
        }
    }

    /// - Parameter latency: nil when it failed.
    mutating func note(_ options: Options, _ kind: Kind, due: Int64, latency: Int64?, _ request: Request?) {
        guard options.samples != nil else { return }
        let latency = latency.map { "\($0 / 1000)" } ?? "-"
        let identifier = request.flatMap { $0.isPost ? " \($0.identifier)" : nil } ?? ""
        samples.append("\(kind) \(due / 1000) \(latency)\(identifier)\n")
    }

    mutating func add(_ other: Tally) {
        requests += other.requests
        ok += other.ok
        kinds.merge(other.kinds, uniquingKeysWith: +)
        firstFailures += other.firstFailures.prefix(max(0, 5 - firstFailures.count))
        releases.merge(other.releases, uniquingKeysWith: +)
        outOfOrder += other.outOfOrder
        latencies += other.latencies
        samples += other.samples
        posts += other.posts
        reconnects += other.reconnects
    }

    /// One JSON object on one line; latencies in milliseconds.
    /// - Parameter kinds: of the mixed load; then they are shown one by one as well.
    func json(elapsed: Int64, kinds: [Kind: Tally]) -> String {
        let releases = releases.sorted { $0.key < $1.key }.map {
            "{\"release\":\($0.key),\"count\":\($0.value)}"
        }
        let mix = Kind.allCases.compactMap { kind in kinds[kind].map { "\"\(kind)\":{\($0.figures)}" } }
        return "{\(figures),"
            + "\"firstFailures\":[\(firstFailures.map(Self.quoted).joined(separator: ","))],"
            + "\"posts\":\(posts),\"releases\":[\(releases.joined(separator: ","))],"
            + "\"outOfOrder\":\(outOfOrder),\"reconnects\":\(reconnects),"
            + (mix.isEmpty ? "" : "\"mix\":{\(mix.joined(separator: ","))},")
            + "\"seconds\":\(Self.decimal(elapsed / 1_000_000))}\n"
    }

    private var figures: String {
        let sorted = latencies.sorted()
        func percentile(_ percent: Int) -> String {
            guard let last = sorted.indices.last else { return "null" }
            return Self.decimal(sorted[min(last, sorted.count * percent / 100)] / 1000)
        }
        let causes = kinds.sorted { $0.key < $1.key }.map { "\(Self.quoted($0.key)):\($0.value)" }
        return "\"requests\":\(requests),\"ok\":\(ok),\"failed\":\(failed),"
            + "\"kinds\":{\(causes.joined(separator: ","))},"
            + "\"p50\":\(percentile(50)),\"p99\":\(percentile(99)),\"max\":\(percentile(100))"
    }

    /// Thousandths as a decimal number.
    private static func decimal(_ thousandths: Int64) -> String {
        let digits = String(thousandths % 1000)
        return "\(thousandths / 1000).\(String(repeating: "0", count: max(0, 3 - digits.count)))\(digits)"
    }

    private static func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": out += "\\\(scalar)"
            case _ where scalar.value < 0x20: out += " "
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }
}
