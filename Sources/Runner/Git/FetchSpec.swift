// SPDX-License-Identifier: Apache-2.0
public import KintoCore
public import Wire

/// What is to be fetched, from where, into which repository, and with what credentials. Travels over the
/// standard input of the child, so that no secret stands in an argument or a variable.
public struct FetchSpec: Sendable {
    /// Where the remote repository is.
    public var address: GitAddress
    /// Absolute path of a bare repository of kinto's own, made when it is not there. Nobody else writes to
    /// it.
    public var repository: String
    /// Full names of references, `refs/heads/main`; the first decides the commit that is reported.
    public var references: [String]
    /// Wanted instead of the first reference's commit, wherever it is reachable from a branch or a tag.
    public var commit: CommitID?
    /// What the fetch may take.
    public var limits = FetchLimits()
    /// Whether the first reference's commit is only asked for, and nothing downloaded.
    public var onlyLists: Bool
    /// Path of a private key without passphrase; ed25519 or ecdsa.
    public var sshKey: String?
    /// The text of one, instead.
    public var sshKeyText: String?
    /// Certificates (PEM) of the only authorities that are trusted; nil: the system's.
    public var authorities: String?
    /// Path of a known_hosts file; one that is absent knows no host.
    public var knownHosts: String?
    /// User name for https; nil: the address's, or one that the large providers accept.
    public var username: String?
    /// Token or password for https. Never sent to another host, nor over http but to this machine.
    public var token: String?

    /// Takes the values as they are.
    public init(
        address: GitAddress, repository: String, references: [String], onlyLists: Bool = false,
        sshKey: String? = nil, knownHosts: String? = nil, username: String? = nil, token: String? = nil
    ) {
        self.address = address
        self.repository = repository
        self.references = references
        self.onlyLists = onlyLists
        self.sshKey = sshKey
        self.knownHosts = knownHosts
        self.username = username
        self.token = token
    }

    /// The message for the child.
    public var fields: Fields {
        var fields = Fields()
        fields.add("address", address.description)
        fields.add("repository", repository)
        for reference in references { fields.add("reference", reference) }
        if let commit { fields.add("commit", commit.description) }
        for limit in limits.texts { fields.add("limit", limit) }
        if onlyLists { fields.add("onlyLists", "1") }
        if let sshKeyText { fields.add("sshKeyText", sshKeyText) }
        if let authorities { fields.add("authorities", authorities) }
        if let sshKey { fields.add("sshKey", sshKey) }
        if let knownHosts { fields.add("knownHosts", knownHosts) }
        if let username { fields.add("username", username) }
        if let token { fields.add("token", token) }
        return fields
    }

    /// - Throws: `address-refused`, or `git-failed` for a message that is not a spec.
    public init(_ fields: Fields) throws(Failure) {
        let references = fields.all("reference")
        guard let address = fields["address"], let repository = fields["repository"],
            repository.hasPrefix("/"),
            !references.isEmpty || fields["commit"] != nil,
            references.allSatisfy({
                ($0.hasPrefix("refs/") || $0 == "HEAD" && fields["onlyLists"] != nil) && !$0.contains(":")
                    && !$0.contains("*")
            })
        else {
            throw Failure(code: "git-failed", "The fetch was asked for in a form that is not understood.")
        }
        self.init(
            address: try GitAddress(address), repository: repository, references: references,
            onlyLists: fields["onlyLists"] != nil, sshKey: fields["sshKey"], knownHosts: fields["knownHosts"],
            username: fields["username"],
            token: fields["token"])
        sshKeyText = fields["sshKeyText"]
        authorities = fields["authorities"]
        commit = fields["commit"].flatMap { CommitID($0) }
        do { limits = try FetchLimits(fields.all("limit")) } catch {
            throw Failure(code: "git-failed", "The fetch was asked for with limits that are none: \(error)")
        }
    }
}

/// How far a fetch is.
public struct FetchProgress: Sendable, Equatable {
    /// Objects received.
    public let received: Int
    /// Objects that there are to receive.
    public let total: Int
    /// Received so far.
    public let bytes: Int

    /// Takes the values as they are.
    public init(received: Int, total: Int, bytes: Int) {
        self.received = received
        self.total = total
        self.bytes = bytes
    }
}
