// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
public import KintoCore

/// `ADDRESS:PORT` that a server of kinto's is to listen on, IPv4.
public struct ListenAddress: Sendable, CustomStringConvertible {
    public let host: String
    public let port: UInt16
    /// The option that sets it: `--listen`.
    private let option: String

    /// - Throws: `Failure` of code `invalid-address`.
    public init(_ text: String, option: String) throws(Failure) {
        var address = in_addr()
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]),
            port > 0,
            inet_pton(AF_INET, String(text[..<colon]), &address) == 1
        else {
            throw Failure(
                code: "invalid-address", "\(option) wants ADDRESS:PORT like 127.0.0.1:7780, not '\(text)'")
        }
        host = String(text[..<colon])
        self.port = port
        self.option = option
    }

    public var description: String { "\(host):\(port)" }

    /// Finds out before anything is started whether it can be had.
    /// - Throws: `Failure` of code `address-taken` with the owner's name, or `address-unusable` with the system's reason.
    public func check() throws(Failure) {
        let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(raw) }
        var one: Int32 = 1
        setsockopt(raw, SOL_SOCKET, SO_REUSEADDR, &one, 4)
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        inet_pton(AF_INET, host, &name.sin_addr)
        let bound = withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(raw, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0 && listen(raw, 1) == 0
            }
        }
        if bound { return }
        let reason = errno
        let hint = Failure.Hint("choose another one", command: "kinto serve \(option) \(host):PORT")
        guard reason == EADDRINUSE else {
            throw Failure(
                code: "address-unusable",
                "kinto cannot listen on \(self): \(String(cString: strerror(reason)))",
                hints: [hint])
        }
        let owner = Listeners.owner(of: port)
        throw Failure(
            code: "address-taken",
            "\(self) is taken by \(owner.map { "\($0.name) (pid \($0.pid))" } ?? "another program")",
            hints: [.init("stop it, or choose another one", command: hint.command)])
    }
}
