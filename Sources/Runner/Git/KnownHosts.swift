// SPDX-License-Identifier: Apache-2.0
internal import Crypto

/// A known_hosts file (sshd(8)), as far as kinto uses it: plain, wildcard and hashed names, `@revoked`.
/// Certificate authorities are not understood and trust nothing.
struct KnownHosts: Sendable {
    enum Verdict: Equatable, Sendable {
        case trusted
        /// The file says nothing of this host with this kind of key.
        case unknown
        /// The file has another key of this kind for this host.
        case changed
        case revoked
    }

    private struct Line: Sendable {
        let isRevoked: Bool
        let hosts: String
        let type: String
        let key: String
        let text: String
    }

    private let lines: [Line]

    init(_ text: String) {
        lines = text.split(whereSeparator: \.isNewline).compactMap { raw in
            var words = raw.split { $0 == " " || $0 == "\t" }.map(String.init)
            guard let first = words.first, !first.hasPrefix("#") else { return nil }
            if first.hasPrefix("@") {
                guard first == "@revoked" else { return nil }
                words.removeFirst()
            }
            guard words.count >= 3 else { return nil }
            return Line(
                isRevoked: first == "@revoked", hosts: words[0], type: words[1], key: words[2],
                text: words[0...2].joined(separator: " "))
        }
    }

    /// What the file says of a key.
    ///
    /// The key is in the form of the protocol, which begins with the name of its kind.
    func verdict(host: String, port: Int?, key: [UInt8]) -> Verdict {
        let given = Base64.encode(key)
        let type = KnownHosts.type(of: key)
        let matching = lines.filter { KnownHosts.matches($0.hosts, KnownHosts.name(host, port)) }
        if matching.contains(where: { $0.isRevoked && $0.key == given }) { return .revoked }
        let known = matching.filter { !$0.isRevoked && $0.type == type }
        if known.contains(where: { $0.key == given }) { return .trusted }
        return known.isEmpty ? .unknown : .changed
    }

    /// The lines for one host in the order in which libgit2 must see them: it asks the server for the kind of
    /// key that stands first, and cannot use RSA keys with servers of today, so these are left out.
    func ordered(host: String, port: Int?) -> String {
        let usable = lines.filter {
            !$0.isRevoked && $0.type != "ssh-rsa" && $0.type != "ssh-dss"
                && KnownHosts.matches($0.hosts, KnownHosts.name(host, port))
        }
        let (edwards, others) = (
            usable.filter { $0.type == "ssh-ed25519" }, usable.filter { $0.type != "ssh-ed25519" }
        )
        return (edwards + others).map { "\(KnownHosts.name(host, port)) \($0.type) \($0.key)\n" }.joined()
    }

    /// The line that makes a key known.
    static func line(host: String, port: Int?, key: [UInt8]) -> String {
        "\(name(host, port)) \(type(of: key)) \(Base64.encode(key))"
    }

    /// `SHA256:` and 43 characters, as ssh-keygen -l shows it.
    static func fingerprint(_ key: [UInt8]) -> String {
        "SHA256:\(Base64.encode(Array(SHA256.hash(data: key)), padded: false))"
    }

    static func name(_ host: String, _ port: Int?) -> String {
        guard let port, port != 22 else { return host.lowercased() }
        return "[\(host.lowercased())]:\(port)"
    }

    static func type(of key: [UInt8]) -> String {
        guard key.count > 4 else { return "" }
        let length = key[0..<4].reduce(0) { $0 << 8 | Int($1) }
        guard length <= key.count - 4, length < 64 else { return "" }
        return shown(key[4..<(4 + length)])
    }

    private static func matches(_ patterns: String, _ name: String) -> Bool {
        if patterns.hasPrefix("|1|") {
            let parts = patterns.split(separator: "|")
            guard parts.count == 3, let salt = Base64.decode(parts[1]), let hash = Base64.decode(parts[2])
            else {
                return false
            }
            // The file format fixes SHA-1; it hides names and protects nothing.
            let code = HMAC<Insecure.SHA1>.authenticationCode(
                for: Array(name.utf8), using: SymmetricKey(data: salt))
            return Array(code) == hash
        }
        var found = false
        for pattern in patterns.lowercased().split(separator: ",") {
            if pattern.hasPrefix("!") {
                if glob(Array(pattern.dropFirst().utf8), Array(name.utf8)) { return false }
            } else if glob(Array(pattern.utf8), Array(name.utf8)) {
                found = true
            }
        }
        return found
    }

    /// `*` and `?`, in time proportional to the product of the lengths.
    private static func glob(_ pattern: [UInt8], _ text: [UInt8]) -> Bool {
        var (p, t) = (0, 0)
        var star: Int?
        var mark = 0
        while t < text.count {
            if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
                star = p
                mark = t
                p += 1
            } else if p < pattern.count, pattern[p] == UInt8(ascii: "?") || pattern[p] == text[t] {
                p += 1
                t += 1
            } else if let star {
                p = star + 1
                mark += 1
                t = mark
            } else {
                return false
            }
        }
        return pattern[p...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
