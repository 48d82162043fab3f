// SPDX-License-Identifier: Apache-2.0
internal import KintoCore

/// Where submodules of a service may come from. Their addresses stand in the repository, so whoever can push to it writes
/// them: they reach the host of the service's own repository, and further ones that the operator named.
public struct SubmoduleRules: Sendable {
    /// Of the service's repository; nil: it is pushed to this host.
    private let own: GitAddress?
    /// `HOST` or `HOST:PORT`, reached by https.
    private let hosts: Set<String>
    private let service: String

    /// Takes the values as they are.
    public init(own: GitAddress?, hosts: [String], service: String) {
        self.own = own
        self.hosts = Set(hosts.map { $0.lowercased() })
        self.service = service
    }

    /// The address that `url` of `.gitmodules` means.
    /// - Parameter parent: of the repository whose `.gitmodules` it is; nil: one that is pushed to this host.
    /// - Throws: `submodule-refused`.
    func address(_ url: String, relativeTo parent: GitAddress?) throws(Failure) -> GitAddress {
        let text = url.hasPrefix("./") || url.hasPrefix("../") ? try absolute(url, parent) : url
        let address: GitAddress
        do { address = try GitAddress(text) } catch {
            throw SubmoduleList.refused("\(error.message)", hints: [SubmoduleRules.forms])
        }
        try check(address)
        return address
    }

    /// Whether the service's credentials go there: where its own repository is, and to the https side of that same host.
    public func isTrusted(_ address: GitAddress) -> Bool {
        guard let own, own.transport != .local, own.host.lowercased() == address.host.lowercased() else {
            return false
        }
        if own.transport == address.transport { return own.effectivePort == address.effectivePort }
        return own.transport == .ssh && address.transport == .https && address.effectivePort == 443
    }

    private func check(_ address: GitAddress) throws(Failure) {
        guard address.transport != .local else {
            throw SubmoduleList.refused(
                "It is a path on the server, which a repository does not choose.",
                hints: [SubmoduleRules.forms])
        }
        if isTrusted(address) { return }
        guard address.transport == .https else {
            throw SubmoduleList.refused(
                "\(address) is reached by \(address.transport.rawValue), which is only done where the service's own "
                    + "repository is.",
                hints: [.init("Give it an https or a relative address in .gitmodules.")])
        }
        let port = address.effectivePort ?? 443
        let host = address.host.lowercased()
        if port == 443, own?.host.lowercased() == host { return }
        let name = port == 443 ? host : "\(host):\(port)"
        guard hosts.contains(name) else {
            throw SubmoduleList.refused(
                "\(address) is on another host than the service's repository.",
                hints: [
                    .init(
                        "allow the host, if you trust it",
                        command: "kinto service set \(service) --submodule-hosts \(name)")
                ])
        }
    }

    /// As git does it: each `../` takes the last part off the parent's path.
    private func absolute(_ url: String, _ parent: GitAddress?) throws(Failure) -> String {
        guard let parent, parent.transport != .local else {
            throw SubmoduleList.refused(
                "The address is relative, and the service's repository is on this host: there is nothing it is relative to.",
                hints: [.init("Give it a whole https address in .gitmodules.")])
        }
        let text = parent.description
        let path: Substring
        if let scheme = text.firstRange(of: "://") {
            let rest = text[scheme.upperBound...]
            path = rest[(rest.firstIndex(of: "/") ?? rest.endIndex)...]
        } else {
            path = text[text.index(after: text.firstIndex(of: ":") ?? text.startIndex)...]
        }
        var parts = path.split(separator: "/")
        var rest = url.split(separator: "/")[...]
        while let first = rest.first, first == "." || first == ".." {
            rest.removeFirst()
            if first == "..", parts.popLast() == nil { rest = [] }
        }
        guard !rest.isEmpty, !rest.contains(where: { $0 == "." || $0 == ".." }) else {
            throw SubmoduleList.refused("The address '\(shown(url.utf8))' leads out of the host's paths.")
        }
        parts += rest
        return text[..<path.startIndex] + (path.hasPrefix("/") ? "/" : "") + parts.joined(separator: "/")
    }

    private static let forms = Failure.Hint(
        "Give it an https or a relative address (../other.git) in .gitmodules.")
}

extension GitAddress {
    /// With the transport's own filled in.
    var effectivePort: Int? {
        switch transport {
        case .https: port ?? 443
        case .http: port ?? 80
        case .ssh: port ?? 22
        case .local: nil
        }
    }
}
