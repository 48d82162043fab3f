// SPDX-License-Identifier: Apache-2.0
internal import Wire

/// The command line of `kinto-runtime proxy`.
struct ProxyOptions {
    static let usage =
        "usage: kinto-runtime proxy --socket PATH --snapshot PATH [--listen ADDRESS:PORT] [--workers N] [--limit NAME=VALUE]… [--take-over MILLISECONDS] [--version TEXT]"

    let socket: String
    let snapshot: String
    let listen: HostPort
    let workers: Int
    /// `NAME=VALUE` each.
    let limits: [String]
    let version: String
    /// Where it lives, when it may take over from another one and others from it.
    let place: ProxyPlace?
    /// How long the other one may go on with what it has, in milliseconds.
    let drain: Int

    /// Nil when it cannot be used.
    init?(_ arguments: [String]) {
        func values(_ name: String) -> [String] {
            arguments.indices.dropLast().filter { arguments[$0] == name }.map { arguments[$0 + 1] }
        }
        guard let socket = values("--socket").first, let snapshot = values("--snapshot").first,
            let listen = HostPort(values("--listen").first ?? "127.0.0.1:8080")
        else { return nil }
        self.socket = socket
        self.snapshot = snapshot
        self.listen = listen
        workers = max(1, min(64, values("--workers").first.flatMap { Int($0) } ?? 1))
        limits = values("--limit")
        version = values("--version").first ?? ""
        drain = values("--take-over").first.flatMap { Int($0) } ?? 0
        place = values("--take-over").isEmpty ? nil : ProxyPlace(Files.parent(of: socket))
    }
}

/// `ADDRESS:PORT`, IPv4.
struct HostPort: CustomStringConvertible {
    let host: String
    let port: UInt16

    init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        host = String(text[..<colon])
        self.port = port
    }

    var description: String { "\(host):\(port)" }
}
