// SPDX-License-Identifier: Apache-2.0
internal import Wire

/// The command line of `kinto-runtime proxy`.
struct ProxyOptions {
    static let usage =
        "usage: kinto-runtime proxy --socket PATH --snapshot PATH [--listen ADDRESS:PORT] [--tls-listen ADDRESS:PORT --certificates DIRECTORY --challenges DIRECTORY [--no-redirects]] [--workers N] [--limit NAME=VALUE]… [--take-over MILLISECONDS] [--version TEXT]"

    let socket: String
    let snapshot: String
    let listen: SocketAddress
    /// nil: without TLS.
    let secure: Secure?
    let workers: Int
    /// `NAME=VALUE` each.
    let limits: [String]
    let version: String
    /// Where it lives, when it may take over from another one and others from it.
    let place: ProxyPlace?
    /// How long the other one may go on with what it has, in milliseconds.
    let drain: Int

    struct Secure {
        let listen: SocketAddress
        /// A folder in it for each certificate.
        let certificates: String
        /// The "webroot" of ACME clients.
        let challenges: String
        let redirects: Bool
    }

    var addresses: ProxyAddresses {
        ProxyAddresses(
            plain: listen.description, secure: secure?.listen.description,
            redirects: secure?.redirects ?? true)
    }

    /// Nil when it cannot be used.
    init?(_ arguments: [String]) {
        func values(_ name: String) -> [String] {
            arguments.indices.dropLast().filter { arguments[$0] == name }.map { arguments[$0 + 1] }
        }
        guard let socket = values("--socket").first, let snapshot = values("--snapshot").first,
            let listen = SocketAddress(values("--listen").first ?? "127.0.0.1:8080")
        else { return nil }
        self.socket = socket
        self.snapshot = snapshot
        self.listen = listen
        if let text = values("--tls-listen").first {
            guard let address = SocketAddress(text), let certificates = values("--certificates").first,
                let challenges = values("--challenges").first
            else { return nil }
            secure = Secure(
                listen: address, certificates: certificates, challenges: challenges,
                redirects: !arguments.contains("--no-redirects"))
        } else {
            secure = nil
        }
        workers = max(1, min(64, values("--workers").first.flatMap { Int($0) } ?? 1))
        limits = values("--limit")
        version = values("--version").first ?? ""
        drain = values("--take-over").first.flatMap { Int($0) } ?? 0
        place = values("--take-over").isEmpty ? nil : ProxyPlace(Files.parent(of: socket))
    }
}
