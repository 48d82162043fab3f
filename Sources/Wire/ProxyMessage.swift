// SPDX-License-Identifier: Apache-2.0

/// A request to the proxy over its unix socket: one `Frame` each way, as many as one likes on a connection, answered
/// in order. A `drain` occupies its connection until it is answered; use one of its own.
public enum ProxyRequest: Sendable, Equatable {
    /// Who are you? Answered by `ProxyReply.hello`.
    case hello
    /// Puts a table in force. Answered by `applied` when no request can reach an upstream that the table no longer
    /// has, other than those already on their way; by `failed` when it was not taken, in which case the old table is
    /// in force, whole. The snapshot file is written first.
    case apply(RoutingTable)
    /// Waits until no request is in flight to the upstream, or until the time is over, when what is left is cut.
    /// Answered by `drained`.
    ///
    /// With `port`, of the upstream's requests only those that are on their way to that instance of it.
    case drain(upstream: String, port: UInt16? = nil, milliseconds: Int)
    /// Answered by `statistics`.
    case statistics
    /// Asks for the listening sockets, to serve in this proxy's stead: answered by `sockets`, after which as many
    /// descriptors follow; then the asker prepares itself and says `ready` on the same connection. Until then nothing is
    /// changed, and the end of the connection changes nothing. One asker at a time; the next waits.
    ///
    /// `place`: the number of the asker's `ProxyPlace`, which the old proxy names as the one that serves; nil without.
    /// `milliseconds`: how long requests and tunnels that are on their way may go on in the old proxy then.
    case handOver(place: UInt64?, milliseconds: Int)
    /// Ends the hand-over: from here on the asker serves. Answered by `ok` when the old proxy accepts nothing any more;
    /// by `failed` when it had given the asker up, which must end then.
    case ready
    /// From the proxy that took over to those that are still busy: the table that it was given. Answered as `apply`.
    case follow(RoutingTable)
    /// Reads the certificates anew; answered by `certificates`. They are also read whenever they change.
    case certificates
    /// Ends the proxy: listening sockets first, then in-flight requests up to the time. Answered by `ok` at once.
    case shutdown(milliseconds: Int)

    public var fields: Fields {
        var f = Fields()
        switch self {
        case .hello: f.add("do", "hello")
        case .apply(let table):
            f.add("do", "apply")
            for entry in table.fields.entries { f.add(entry.name, entry.value) }
        case .drain(let upstream, let port, let milliseconds):
            f.add("do", "drain")
            f.add("upstream", upstream)
            if let port { f.add("port", port) }
            f.add("milliseconds", milliseconds)
        case .statistics: f.add("do", "statistics")
        case .certificates: f.add("do", "certificates")
        case .handOver(let place, let milliseconds):
            f.add("do", "hand-over")
            if let place { f.add("place", place) }
            f.add("milliseconds", milliseconds)
        case .ready: f.add("do", "ready")
        case .follow(let table):
            f.add("do", "follow")
            for entry in table.fields.entries { f.add(entry.name, entry.value) }
        case .shutdown(let milliseconds):
            f.add("do", "shutdown")
            f.add("milliseconds", milliseconds)
        }
        return f
    }

    public init(_ f: Fields) throws(WireError) {
        switch try f.required("do") {
        case "hello": self = .hello
        case "apply": self = .apply(try RoutingTable(f))
        case "drain":
            self = .drain(
                upstream: try f.required("upstream"), port: f.integer("port"),
                milliseconds: try f.requiredInteger("milliseconds"))
        case "statistics": self = .statistics
        case "certificates": self = .certificates
        case "hand-over":
            self = .handOver(
                place: f.integer("place"), milliseconds: try f.requiredInteger("milliseconds"))
        case "ready": self = .ready
        case "follow": self = .follow(try RoutingTable(f))
        case "shutdown": self = .shutdown(milliseconds: try f.requiredInteger("milliseconds"))
        case let other: throw .malformed("unknown request '\(other)'")
        }
    }
}

/// The answer to a `ProxyRequest`.
public enum ProxyReply: Sendable, Equatable {
    /// Counters of one upstream since the proxy started or first heard of it.
    public struct Counters: Sendable, Equatable {
        public var upstream: String
        /// Requests claimed by it.
        public var requests: UInt64
        /// Of these, answered by the proxy itself with 502, 503 or 504, or broken off before their end by anything but
        /// the visitor.
        public var failed: UInt64
        /// Of these, sent a second time on a fresh connection.
        public var retried: UInt64
        /// Of these, made to wait because no instance took them at once.
        public var delayed: UInt64
        /// Of these, answered with a status of 500 or above, by the instance or by the proxy.
        public var errors: UInt64
        /// Requests that were answered, and of these with 500 or above, in the last five minutes.
        public var recent: UInt64
        public var recentErrors: UInt64
        /// Requests and upgraded connections on their way now.
        public var inFlight: UInt64
        /// How long answers took, from the claim to the head of the answer.
        public var times = AnswerTimes()

        public init(
            upstream: String, requests: UInt64 = 0, failed: UInt64 = 0, retried: UInt64 = 0,
            delayed: UInt64 = 0, errors: UInt64 = 0, recent: UInt64 = 0, recentErrors: UInt64 = 0,
            inFlight: UInt64 = 0
        ) {
            self.upstream = upstream
            self.requests = requests
            self.failed = failed
            self.retried = retried
            self.delayed = delayed
            self.errors = errors
            self.recent = recent
            self.recentErrors = recentErrors
            self.inFlight = inFlight
        }

        private static let numbers: [(name: String, path: any WritableKeyPath<Counters, UInt64> & Sendable)] =
            [
                ("requests", \.requests), ("failed", \.failed), ("retried", \.retried),
                ("delayed", \.delayed),
                ("errors", \.errors), ("recent", \.recent), ("recentErrors", \.recentErrors),
                ("inFlight", \.inFlight),
            ]

        func add(to fields: inout Fields) {
            fields.add("upstream", upstream)
            for (name, path) in Counters.numbers { fields.add(name, self[keyPath: path]) }
            if !times.isEmpty { fields.add("times", times.description) }
        }

        /// Takes a number; names of other versions are left alone.
        mutating func read(_ entry: Fields.Entry) throws(WireError) {
            if entry.name == "times" { times = AnswerTimes(entry.value) }
            guard let (_, path) = Counters.numbers.first(where: { $0.name == entry.name }) else { return }
            guard let number = UInt64(entry.value) else { throw .malformed(entry.name) }
            self[keyPath: path] = number
        }

        /// Those of another worker are added.
        public static func += (sum: inout Counters, part: Counters) {
            for (_, path) in numbers { sum[keyPath: path] &+= part[keyPath: path] }
            sum.times += part.times
        }
    }

    case ok
    /// `limits`: what differs from the defaults of `ProxyLimits`.
    case hello(
        version: String, process: ProcessIdentity, generation: UInt64, ProxyAddresses, limits: [String] = [])
    /// Counters of every upstream that left the table by this change, at the moment of the change.
    case applied([Counters])
    /// Final counters of the upstream, and how many requests were cut at the end of the time.
    case drained(Counters, cut: UInt64)
    case statistics([Counters])
    /// What a new proxy needs: the table in force, the addresses that the first descriptor listens on, and the second
    /// if there is one over TLS, and the stable ports of the others, in their order.
    case sockets(RoutingTable, ProxyAddresses, ports: [UInt16])
    /// Those below the directory that the proxy has them from, also those that cannot be used.
    case certificates([ServedCertificate])
    /// `code`: `port-taken`, `stale-generation`, `malformed`, `io`, `handed-over` by a proxy whose successor is to be
    /// asked instead.
    case failed(code: String, message: String)

    public var fields: Fields {
        var f = Fields()
        switch self {
        case .ok: f.add("is", "ok")
        case .hello(let version, let process, let generation, let addresses, let limits):
            f.add("is", "hello")
            f.add("version", version)
            f.add("pid", process.pid)
            f.add("start", process.startTicks)
            f.add("boot", process.boot)
            f.add("generation", generation)
            addresses.add(to: &f)
            for limit in limits { f.add("limit", limit) }
        case .applied(let list):
            f.add("is", "applied")
            for counters in list { counters.add(to: &f) }
        case .drained(let counters, let cut):
            f.add("is", "drained")
            f.add("cut", cut)
            counters.add(to: &f)
        case .statistics(let list):
            f.add("is", "statistics")
            for counters in list { counters.add(to: &f) }
        case .certificates(let list):
            f.add("is", "certificates")
            for certificate in list { certificate.add(to: &f) }
        case .sockets(let table, let addresses, let ports):
            f.add("is", "sockets")
            addresses.add(to: &f)
            for port in ports { f.add("socket", port) }
            for entry in table.fields.entries { f.add(entry.name, entry.value) }
        case .failed(let code, let message):
            f.add("is", "failed")
            f.add("code", code)
            f.add("message", message)
        }
        return f
    }

    public init(_ f: Fields) throws(WireError) {
        switch try f.required("is") {
        case "ok": self = .ok
        case "hello":
            self = .hello(
                version: try f.required("version"),
                process: ProcessIdentity(
                    pid: try f.requiredInteger("pid"), startTicks: try f.requiredInteger("start"),
                    boot: try f.required("boot")),
                generation: try f.requiredInteger("generation"), try ProxyAddresses(f),
                limits: f.all("limit"))
        case "applied": self = .applied(try ProxyReply.counters(f))
        case "drained":
            guard let counters = try ProxyReply.counters(f).first else { throw WireError.missing("upstream") }
            self = .drained(counters, cut: try f.requiredInteger("cut"))
        case "statistics": self = .statistics(try ProxyReply.counters(f))
        case "sockets":
            var ports: [UInt16] = []
            for text in f.all("socket") {
                guard let port = UInt16(text) else { throw WireError.malformed("socket") }
                ports.append(port)
            }
            self = .sockets(try RoutingTable(f), try ProxyAddresses(f), ports: ports)
        case "certificates": self = .certificates(try ServedCertificate.list(f))
        case "failed": self = .failed(code: try f.required("code"), message: try f.required("message"))
        case let other: throw .malformed("unknown reply '\(other)'")
        }
    }

    private static func counters(_ f: Fields) throws(WireError) -> [Counters] {
        var list: [Counters] = []
        for entry in f.entries {
            if entry.name == "upstream" {
                list.append(Counters(upstream: entry.value))
                continue
            }
            guard !list.isEmpty else { continue }
            try list[list.count - 1].read(entry)
        }
        return list
    }
}
