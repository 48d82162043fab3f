// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import KintoCore
internal import Wire

/// HAProxy's runtime API: one command on each connection, answered in text.
struct HAProxySocket: Sendable {
    let path: String

    /// - Throws: `Failure` of code `proxy-unreachable`.
    func ask(_ command: String) async throws -> String {
        let path = path
        do {
            return try await Blocking.run {
                let connection = try UnixSocket.connect(path)
                var time = timeval(tv_sec: 10, tv_usec: 0)
                setsockopt(
                    connection.raw, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
                try connection.writeAll(Array("\(command)\n".utf8))
                return String(decoding: try connection.readAll(limit: 16 << 20), as: UTF8.self)
            }
        } catch {
            throw Failure(
                code: "proxy-unreachable", "HAProxy does not answer on its runtime socket: \(error)",
                hints: [
                    .init(
                        "start it, or name the socket of its 'stats socket' line with --haproxy-socket",
                        command: "systemctl start haproxy")
                ])
        }
    }

    /// The servers of a backend that are kinto's: those that a `server-template kinto` made.
    /// - Returns: nil when there is no such backend.
    func servers(_ backend: String) async throws -> [HAProxyServer]? {
        let answer = try await ask("show stat \(backend) 4 -1")
        let lines = answer.split(separator: "\n")
        guard let head = lines.first, head.hasPrefix("# ") else { return nil }
        let names = head.dropFirst(2).split(separator: ",", omittingEmptySubsequences: false)
        let columns = Dictionary(names.enumerated().map { (String($1), $0) }, uniquingKeysWith: { a, _ in a })
        return lines.dropFirst().compactMap { HAProxyServer(line: $0, columns: columns) }
    }

    /// A value of `show info`.
    func info(_ name: String) async throws -> Substring? {
        try await ask("show info").split(separator: "\n").first { $0.hasPrefix("\(name): ") }?
            .dropFirst(name.utf8.count + 2)
    }
}

/// One line of `show stat`: a server and what it has counted since HAProxy was started.
struct HAProxyServer: Sendable, Equatable {
    let backend: String
    let name: String
    /// 127.0.0.1's port; nil for another address.
    let port: UInt16?
    let status: String
    /// Requests on their way.
    let current: UInt64
    let total, failed, retried, errors: UInt64

    var path: String { "\(backend)/\(name)" }
    /// In maintenance: no new request reaches it.
    var isOut: Bool { status.hasPrefix("MAINT") }
    /// Up, or not checked by HAProxy.
    var isIn: Bool { status.hasPrefix("UP") || status == "no check" }

    /// nil for a server that is not kinto's.
    init?(line: Substring, columns: [String: Int]) {
        let values = line.split(separator: ",", omittingEmptySubsequences: false)
        func text(_ name: String) -> Substring {
            columns[name].flatMap { values.indices.contains($0) ? values[$0] : nil } ?? ""
        }
        func number(_ name: String) -> UInt64 { UInt64(text(name)) ?? 0 }
        name = String(text("svname"))
        guard name.hasPrefix("kinto") else { return nil }
        backend = String(text("pxname"))
        let address = text("addr").split(separator: ":")
        port = address.count == 2 && address[0] == "127.0.0.1" ? UInt16(address[1]) : nil
        status = String(text("status"))
        current = number("scur")
        total = number("stot")
        let (unconnected, broken) = number("econ").addingReportingOverflow(number("eresp"))
        failed = broken ? .max : unconnected
        retried = number("wretr")
        errors = number("hrsp_5xx")
    }
}
