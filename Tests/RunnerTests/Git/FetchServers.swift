// SPDX-License-Identifier: Apache-2.0
import Glibc
import Synchronization
import TestSupport
import Testing
import Wire

@testable import Runner

/// A listening port on loopback that accepts and never says a word.
final class SilentServer: Sendable {
    let port: Int
    private let listener: Descriptor
    private let accepted = Mutex<Descriptor?>(nil)

    /// Without `answers` nobody listens on its port.
    init(answers: Bool = true) throws {
        let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        try #require(raw >= 0)
        listener = Descriptor(owning: raw)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(raw, generic, length) == 0 && getsockname(raw, generic, &length) == 0
            }
        }
        try #require(bound)
        port = Int(UInt16(bigEndian: address.sin_port))
        if answers { try #require(listen(raw, 4) == 0) }
    }

    /// Waits until someone has connected.
    func waitForConnection() async { await onThread { _ = self.connection() } }

    /// Reads one request and answers it.
    func answer(_ text: String) async throws {
        let connection = try #require(await onThread { self.connection() })
        var request: [UInt8] = []
        while !request.suffix(4).elementsEqual("\r\n\r\n".utf8) {
            request += try #require(try connection.readExactly(1))
        }
        try connection.writeAll(Array(text.utf8))
    }

    /// Whether anyone has ever tried to connect.
    func wasReached() -> Bool {
        var wait = pollfd(fd: listener.raw, events: Int16(POLLIN), revents: 0)
        return poll(&wait, 1, 0) > 0
    }

    /// Whether the other side has closed, waiting for it for a while.
    func peerIsGone() async -> Bool {
        await onThread {
            guard let connection = self.connection() else { return false }
            var bytes = [UInt8](repeating: 0, count: 4096)
            while true {
                var wait = pollfd(fd: connection.raw, events: Int16(POLLIN), revents: 0)
                guard poll(&wait, 1, 180_000) == 1 else { return false }
                if read(connection.raw, &bytes, bytes.count) <= 0 { return true }
            }
        }
    }

    private func connection() -> Descriptor? {
        accepted.withLock { known in
            if let known { return known }
            var wait = pollfd(fd: listener.raw, events: Int16(POLLIN), revents: 0)
            guard poll(&wait, 1, 180_000) == 1 else { return nil }
            let raw = accept(listener.raw, nil, nil)
            known = raw < 0 ? nil : Descriptor(owning: raw)
            return known
        }
    }
}

/// The path of an executable product, which stands beside the test bundle.
func builtProduct(_ name: String) throws -> String {
    for argument in CommandLine.arguments + ["/proc/self/exe"] {
        guard argument.hasSuffix(".xctest") || argument == "/proc/self/exe" else { continue }
        guard let resolved = realpath(argument, nil) else { continue }
        defer { free(resolved) }
        let candidate = "\(Files.parent(of: String(cString: resolved)))/\(name)"
        if access(candidate, X_OK) == 0 { return candidate }
    }
    throw SystemError("find built product", name, code: ENOENT)
}
