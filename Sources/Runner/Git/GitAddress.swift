// SPDX-License-Identifier: Apache-2.0
public import KintoCore

/// Where a remote repository is, checked: only forms that can neither start a program nor smuggle an option
/// or a password.
public struct GitAddress: Sendable, Equatable, CustomStringConvertible {
    /// How it is reached.
    public enum Transport: String, Sendable { case https, http, ssh, local }

    /// How it is reached.
    public let transport: Transport
    /// As the operator wrote it; holds no password.
    public let description: String
    /// Empty for `local`.
    public let host: String
    /// nil: the transport's own.
    public let port: Int?
    /// The user part, nil when there is none.
    public let user: String?
    /// For `local` the absolute path.
    public let path: String

    /// Accepts `https://`, `http://`, `ssh://`, `user@host:path`, `file:///path` and an absolute path.
    /// - Throws: `Failure` of code `address-refused` that says what is accepted.
    public init(_ text: String) throws(Failure) {
        let bytes = Array(text.utf8)
        guard !bytes.isEmpty, bytes.count <= 2048, !bytes.contains(where: { $0 <= 0x20 || $0 == 0x7F }),
            text.first != "-"
        else {
            throw GitAddress.refused(
                "It is empty, too long, begins with '-' or holds spaces or control characters.")
        }
        description = text
        if text.hasPrefix("/") {
            (transport, host, port, user, path) = (.local, "", nil, nil, text)
            return
        }
        guard let separator = text.firstRange(of: "://") else {
            (user, host, path) = try GitAddress.scp(text)
            (transport, port) = (.ssh, nil)
            return
        }
        let rest = text[separator.upperBound...]
        switch text[..<separator.lowerBound].lowercased() {
        case "file":
            guard rest.hasPrefix("/") else {
                throw GitAddress.refused("A file address is file:///absolute/path.")
            }
            (transport, host, port, user, path) = (.local, "", nil, nil, String(rest))
        case "https":
            transport = .https
            (host, port, user, path) = try GitAddress.parts(rest)
        case "http":
            transport = .http
            (host, port, user, path) = try GitAddress.parts(rest)
        case "ssh":
            transport = .ssh
            (host, port, user, path) = try GitAddress.parts(rest)
        default: throw GitAddress.refused("Its scheme is not one of https, http, ssh and file.")
        }
        if transport == .ssh { try GitAddress.checkRemotePath(path) }
    }

    /// Whether it is this very machine.
    public var isLoopback: Bool {
        host == "localhost" || host == "::1" || (host.hasPrefix("127.") && host.utf8.allSatisfy { $0 < 0x3A })
    }

    private static func parts(
        _ text: Substring
    ) throws(Failure) -> (host: String, port: Int?, user: String?, path: String) {
        let slash = text.firstIndex(of: "/") ?? text.endIndex
        var authority = text[..<slash]
        var user: String?
        if let at = authority.lastIndex(of: "@") {
            let name = authority[..<at]
            guard !name.contains(":") else {
                throw Failure(
                    code: "address-refused",
                    "The repository's address holds a password, which would show up in lists and logs.",
                    hints: [.init("Leave it out of the address and give kinto the token by itself.")])
            }
            guard !name.isEmpty, name.first != "-" else { throw refused("Its user name is not usable.") }
            user = String(name)
            authority = authority[authority.index(after: at)...]
        }
        var port: Int?
        var host = authority
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            host = authority[authority.index(after: authority.startIndex)..<end]
            let after = authority[authority.index(after: end)...]
            if !after.isEmpty { port = try number(after) }
        } else if let colon = authority.firstIndex(of: ":") {
            host = authority[..<colon]
            port = try number(authority[colon...])
        }
        try checkHost(host)
        let path = String(text[slash...])
        guard path.utf8.count > 1 else { throw refused("It has no path.") }
        return (String(host), port, user, path)
    }

    private static func scp(_ text: String) throws(Failure) -> (user: String?, host: String, path: String) {
        guard let colon = text.firstIndex(of: ":"), !text[..<colon].contains("/") else {
            throw refused("A path on this machine must be absolute.")
        }
        let path = text[text.index(after: colon)...]
        // "ext::command" and its kind are programs to run.
        guard !path.hasPrefix(":") else { throw refused("Addresses with '::' start programs.") }
        var host = text[..<colon]
        var user: String?
        if let at = host.lastIndex(of: "@") {
            guard !host[..<at].isEmpty else { throw refused("Its user name is empty.") }
            user = String(host[..<at])
            host = host[host.index(after: at)...]
        }
        try checkHost(host)
        try checkRemotePath(String(path))
        return (user, String(host), String(path))
    }

    private static func number(_ text: Substring) throws(Failure) -> Int {
        guard text.first == ":", let port = Int(text.dropFirst()), (1...65535).contains(port) else {
            throw refused("Its port is not a number from 1 to 65535.")
        }
        return port
    }

    private static func checkHost(_ host: Substring) throws(Failure) {
        let allowed = host.utf8.allSatisfy {
            (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0)
                || ".-_:".utf8.contains($0)
        }
        guard !host.isEmpty, allowed, host.first != "-" else { throw refused("Its host name is not usable.") }
    }

    /// libgit2 puts the path between single quotes in a command of the remote's shell, after resolving `%`.
    private static func checkRemotePath(_ path: String) throws(Failure) {
        guard !path.isEmpty, path.first != "-", !path.contains(where: { "'\"\\%$`".contains($0) }) else {
            throw refused("A path over ssh must not be empty, begin with '-' or hold quotes, '\\', '%', '$'.")
        }
    }

    private static func refused(_ why: String) -> Failure {
        Failure(
            code: "address-refused", "This is not a repository address that kinto uses. \(why)",
            hints: [
                .init(
                    "Use https://host/path, ssh://git@host/path, git@host:path, file:///path or an absolute path."
                )
            ])
    }
}
