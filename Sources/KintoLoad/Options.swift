// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// The command line, validated.
struct Options: Sendable {
    static let usage = """
        usage: kinto-load --connect 127.0.0.1:PORT --host NAME [--rate 300] [--connections 64]
                          [--seconds N] [--json -|FILE] [--path /] [--plain]
                          [--mix] [--samples FILE]
               kinto-load origin

        Sends requests at a fixed rate until SIGTERM, SIGINT or N seconds, and prints one JSON object.
        --plain: only GET, only over kept connections; else every fifth request is a POST and every other
        connection is a fresh one for each request.
        --mix: kept and fresh connections, bodies of 0 B to 1 MiB, chunks, uploads and answers that take their
        time, WebSockets; --connections does not count. The answers have to be those of `kinto-load origin`.
        --samples: a line for each request of --mix: kind, due and latency in microseconds (on the monotonic
        clock; - when it failed), and the id of a POST.
        origin: the service for it; PORT, KINTO_RELEASE and POST_LOG are its settings.
        Exit code 0: no request failed and no release number went down on a connection. Loopback only.

        """

    /// Network byte order.
    var address: in_addr_t = 0
    var port: UInt16 = 0
    var host = ""
    /// Requests per second, over all connections.
    var rate = 300
    var connections = 64
    /// 0: until a signal.
    var seconds = 0
    var path = "/"
    /// Only GET, only kept connections.
    var isPlain = false
    /// Every ``Kind`` but the simple one.
    var isMixed = false
    /// Where every request of the mixed load is noted; nil: nowhere.
    var samples: String?
    /// Where the report goes; `-` is standard output.
    var report = "-"

    /// - Throws: ``UsageError`` with what is wrong.
    init(_ arguments: [String]) throws(UsageError) {
        var rest = arguments[...]
        while let option = rest.popFirst() {
            if option == "--plain" {
                isPlain = true
                continue
            }
            if option == "--mix" {
                isMixed = true
                continue
            }
            guard
                [
                    "--path", "--connect", "--host", "--rate", "--connections", "--seconds", "--json",
                    "--samples",
                ].contains(option)
            else {
                throw UsageError("unknown option \(option)")
            }
            guard let value = rest.popFirst() else { throw UsageError("\(option) needs a value") }
            switch option {
            case "--connect": (address, port) = try Self.loopback(value)
            case "--host": host = value
            case "--path": path = value
            case "--samples": samples = value
            case "--rate": rate = try Self.number(option, value, 1...100_000)
            case "--connections": connections = try Self.number(option, value, 1...2048)
            case "--seconds": seconds = try Self.number(option, value, 1...86_400)
            default: report = value
            }
        }
        guard port != 0 else { throw UsageError("--connect is missing") }
        let allowed = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:".utf8)
        guard path.hasPrefix("/"), path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw UsageError("--path is a path")
        }
        guard !host.isEmpty, host.utf8.allSatisfy(allowed.contains) else {
            throw UsageError("--host needs a host name")
        }
    }

    private static func number(
        _ option: String, _ value: String, _ range: ClosedRange<Int>
    ) throws(UsageError) -> Int {
        guard let number = Int(value), range.contains(number) else {
            throw UsageError("\(option) is a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    private static func loopback(_ value: String) throws(UsageError) -> (in_addr_t, UInt16) {
        let parts = value.split(separator: ":", omittingEmptySubsequences: false)
        var address = in_addr()
        guard parts.count == 2, let port = UInt16(parts[1]), port != 0,
            inet_pton(AF_INET, String(parts[0]), &address) == 1
        else { throw UsageError("--connect is 127.0.0.1:PORT") }
        // A load generator pointed at someone else's machine is an attack.
        guard UInt32(bigEndian: address.s_addr) >> 24 == 127 else {
            throw UsageError("--connect refuses \(parts[0]): only 127.0.0.0/8")
        }
        return (address.s_addr, port)
    }
}

/// What is wrong with the command line.
struct UsageError: Error {
    let message: String

    init(_ message: String) { self.message = message }
}
