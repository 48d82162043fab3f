// SPDX-License-Identifier: Apache-2.0
internal import Glibc
public import KintoCore
internal import Wire

/// `ADDRESS:PORT` that a server of kinto's is to listen on.
public struct ListenAddress: Sendable, CustomStringConvertible {
    private let address: SocketAddress
    /// The option that sets it: `--listen`.
    private let option: String

    public var host: String { address.host }
    public var port: UInt16 { address.port }
    public var description: String { address.description }

    /// - Throws: `Failure` of code `invalid-address`.
    public init(_ text: String, option: String) throws(Failure) {
        guard let address = SocketAddress(text), address.port > 0 else {
            throw Failure(
                code: "invalid-address",
                "\(option) wants ADDRESS:PORT like 127.0.0.1:7780 or [::]:443, not '\(text)'")
        }
        self.address = address
        self.option = option
    }

    /// Finds out before anything is started whether it can be had.
    /// - Throws: `Failure` of code `address-taken` with the owner's name, or `address-unusable` with the system's reason.
    public func check() throws(Failure) {
        let reason: Int32
        do {
            _ = try address.listen(backlog: 1)
            return
        } catch { reason = error.code }
        let hint = Failure.Hint(
            "choose another one", command: "kinto serve \(option) \(address.writtenHost):PORT")
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
