// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import KintoCore
internal import Rollout
internal import Wire

/// The certificates of kinto's own proxy: folders in the home, which the proxy reads by itself whenever they change.
extension Actions {
    /// Where a certificate comes from.
    enum CertificateSource: Sendable {
        /// PEM texts.
        case texts(chain: String, key: String)
        /// A folder with `fullchain.pem` and `privkey.pem` that somebody else keeps up to date.
        case folder(String)
    }

    /// Empty when the proxy does not answer, or serves without TLS.
    func certificates() async -> [CertificateJSON] {
        ((try? await routes.certificates()) ?? []).map(CertificateJSON.init)
    }

    /// Puts a certificate in force, in the place of the one of that name if there is one.
    /// - Throws: `Failure` of code `certificate` when the proxy cannot use it; then the one before it is in force.
    func addCertificate(_ name: String, from source: CertificateSource) async throws -> CertificateJSON {
        try Actions.checkCertificateName(name)
        guard options.proxyTLSListen != nil, !routes.isExternal else {
            throw Failure(
                code: "proxy-setting",
                routes.isExternal
                    ? "this server uses \(options.proxyName), which has certificates of its own"
                    : "the proxy serves without TLS",
                hints: routes.isExternal
                    ? [.init("give \(options.proxyName) the certificate")]
                    : [.init("let it listen", command: "kinto serve --proxy-tls-listen 0.0.0.0:443")])
        }
        let place = "\(home.certificates)/\(name)"
        let new = "\(home.certificates)/.\(name).new"
        try Actions.remove(new)
        defer { try? Actions.remove(new) }
        try make(new, from: source)
        // There is never a moment without either.
        let hadOne = kinto_exchange(new, place) == 0
        if !hadOne { try check("rename", place) { rename(new, place) } }
        let entry = try await routes.certificates().first { $0.name == name }
        if let entry, entry.problem == nil { return CertificateJSON(entry) }
        if hadOne { kinto_exchange(new, place) } else { try Actions.remove(place) }
        _ = try await routes.certificates()
        throw Failure(
            code: "certificate",
            "the certificate cannot be used: \(entry?.problem ?? "the proxy did not find it")",
            evidence: entry?.problem == nil ? [] : ["the proxy goes on with what it had"],
            hints: [.init("give it the full chain and the private key, both in PEM form")])
    }

    func removeCertificate(_ name: String) async throws {
        try Actions.checkCertificateName(name)
        let place = "\(home.certificates)/\(name)"
        guard Files.exists(place) || Actions.isLink(place) else {
            throw Failure(
                code: "unknown-certificate", "there is no certificate '\(name)'",
                hints: [.init("see what there is", command: "kinto certificate list")])
        }
        try Actions.remove(place)
        _ = try? await routes.certificates()
    }

    private func make(_ new: String, from source: CertificateSource) throws {
        switch source {
        case .texts(let chain, let key):
            try Files.makeDirectories(new)
            try Files.replace("\(new)/fullchain.pem", with: Array(chain.utf8))
            try Files.replace("\(new)/privkey.pem", with: Array(key.utf8))
        case .folder(let folder):
            guard folder.hasPrefix("/"), Files.isDirectory(folder) else {
                throw Failure(
                    code: "certificate", "there is no directory \(folder)",
                    hints: [.init("name the directory of fullchain.pem and privkey.pem by its absolute path")]
                )
            }
            try check("symlink", new) { symlink(folder, new) }
        }
    }

    /// One component of a path: a host name, as a rule.
    private static func checkCertificateName(_ name: String) throws(Failure) {
        let isPlain = name.utf8.allSatisfy {
            (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == UInt8(ascii: "-")
                || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "_")
        }
        guard (1...100).contains(name.utf8.count), !name.hasPrefix("."), isPlain else {
            throw Failure(
                code: "invalid-request",
                "'\(name.prefix(100))' is no name for a certificate: lower-case letters, digits, '-', '_' and '.'"
            )
        }
    }

    private static func isLink(_ path: String) -> Bool {
        var facts = stat()
        return lstat(path, &facts) == 0 && facts.st_mode & S_IFMT == S_IFLNK
    }

    /// A folder with what is in it, or only the link to one.
    private static func remove(_ path: String) throws {
        if isLink(path) {
            try check("unlink", path) { unlink(path) }
        } else if Files.exists(path) {
            try Files.removeTree(path)
        }
    }
}
