// SPDX-License-Identifier: Apache-2.0
internal import CGit2
internal import Glibc
internal import KintoCore
internal import Wire

/// One fetch with libgit2, in the child process. The callbacks of the library get this object and run on the
/// thread that called it.
final class FetchSession {
    private let spec: FetchSpec
    private let knownHosts: KnownHosts
    private let report: (FetchProgress) -> Void
    private let live: (FetchSign) -> Void
    private var lastReport = timespec()
    private var lastText = timespec()
    private var isReceived = false
    private var credentialsAsked = 0
    private var remoteText: [UInt8] = []
    /// The commit that was only asked for.
    private var listed: CommitID?
    /// What a callback decided, which says more than the library's error.
    private var verdict: Failure?

    /// - Parameter live: told of what is a sign of life beside progress.
    init(
        _ spec: FetchSpec, knownHosts: KnownHosts, live: @escaping (FetchSign) -> Void,
        report: @escaping (FetchProgress) -> Void
    ) {
        self.spec = spec
        self.live = live
        self.knownHosts = knownHosts
        self.report = report
    }

    /// Fetches and gives the commit of the first reference.
    func run() throws(Failure) -> CommitID {
        let mirror = try GitRepository(opening: spec.repository)
        do throws(GitError) { try transfer(into: mirror) } catch {
            throw verdict ?? explain(error)
        }
        if let verdict { throw verdict }
        if let listed { return listed }
        if let wanted = spec.commit {
            guard try mirror.holds(wanted) else {
                throw Failure(
                    code: "fetch-commit-gone",
                    "Commit \(wanted.short) is on no branch and no tag of \(spec.address).",
                    hints: [.init("Push it there, or commit another one of that repository.")])
            }
            return wanted
        }
        guard let commit = try mirror.commit(reference: spec.references[0]) else {
            throw Failure(code: "fetch-failed", "\(spec.references[0]) of \(spec.address) is not a commit.")
        }
        return commit
    }

    private func transfer(into mirror: GitRepository) throws(GitError) {
        var remote: OpaquePointer?
        try git("remote") { git_remote_create_anonymous(&remote, mirror.handle, spec.address.description) }
        defer { git_remote_free(remote) }
        var options = git_fetch_options()
        git_fetch_options_init(&options, UInt32(GIT_FETCH_OPTIONS_VERSION))
        options.prune = GIT_FETCH_NO_PRUNE
        options.update_fetchhead = 0
        options.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE
        options.follow_redirects = GIT_REMOTE_REDIRECT_NONE
        options.callbacks.payload = Unmanaged.passUnretained(self).toOpaque()
        options.callbacks.credentials = credentialsCallback
        options.callbacks.certificate_check = certificateCallback
        options.callbacks.transfer_progress = progressCallback
        options.callbacks.sideband_progress = sidebandCallback
        // The plain git_remote_connect knows nothing of redirects and follows them to any host.
        var connection = git_remote_connect_options()
        git_remote_connect_options_init(&connection, UInt32(GIT_REMOTE_CONNECT_OPTIONS_VERSION))
        connection.callbacks = options.callbacks
        connection.follow_redirects = GIT_REMOTE_REDIRECT_NONE
        try git("connect") { git_remote_connect_ext(remote, GIT_DIRECTION_FETCH, &connection) }
        defer { git_remote_disconnect(remote) }
        live(.connected)
        guard let specs = try wanted(remote) else { return }
        var pointers: [UnsafeMutablePointer<CChar>?] = specs.map { strdup($0) }
        defer { for pointer in pointers { free(pointer) } }
        try git("fetch") {
            pointers.withUnsafeMutableBufferPointer { buffer in
                var list = git_strarray(strings: buffer.baseAddress, count: buffer.count)
                return git_remote_download(remote, &list, &options)
            }
        }
        try git("update") {
            git_remote_update_tips(remote, &options.callbacks, 0, GIT_REMOTE_DOWNLOAD_TAGS_NONE, "fetch")
        }
    }

    /// Looks whether everything asked for is there, and sets the verdict when it is not.
    /// - Returns: what to download; nil: nothing.
    private func wanted(_ remote: OpaquePointer?) throws(GitError) -> [String]? {
        var heads: UnsafeMutablePointer<UnsafePointer<git_remote_head>?>?
        var count = 0
        try git("list") { git_remote_ls(&heads, &count, remote) }
        var names: Set<String> = []
        var tip: String?
        for index in 0..<count {
            guard let head = heads?[index]?.pointee, let name = head.name.map({ String(cString: $0) }) else {
                continue
            }
            names.insert(name)
            if let commit = spec.commit, name.hasPrefix("refs/heads/") || name.hasPrefix("refs/tags/"),
                ObjectID(head.oid).commitID == commit
            {
                tip = name
            }
            // An annotated tag is followed by what it points at.
            if spec.onlyLists, let asked = spec.references.first, name == asked || name == "\(asked)^{}" {
                listed = ObjectID(head.oid).commitID
            }
        }
        if names.isEmpty {
            verdict = Failure(
                code: "fetch-empty", "The repository \(spec.address) has no commits yet.",
                hints: [.init("Push a commit to it, then deploy again.")])
        } else if let gone = spec.references.first(where: { !names.contains($0) }) {
            let branches = names.filter { $0.hasPrefix("refs/heads/") }.sorted().prefix(10)
                .map { String($0.dropFirst("refs/heads/".count)) }
            verdict = Failure(
                code: "fetch-branch-gone", "There is no \(RefName.words(gone)) in \(spec.address).",
                evidence: branches.isEmpty ? [] : ["branches: \(branches.joined(separator: ", "))"])
        }
        guard verdict == nil, !spec.onlyLists else { return nil }
        guard spec.commit != nil else { return spec.references.map { "+\($0):\($0)" } }
        // Only references can be asked for: the one that is at the commit, else all that may lead to it.
        return tip.map { ["+\($0):\($0)"] } ?? ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
    }

    fileprivate func credentials(
        _ out: UnsafeMutablePointer<UnsafeMutablePointer<git_credential>?>?, _ userInAddress: String?,
        _ allowed: UInt32
    ) -> Int32 {
        // Asked again means refused: the same answer would be given for ever.
        let user = userInAddress ?? spec.address.user
        if allowed & GIT_CREDENTIAL_USERNAME.rawValue != 0 {
            return git_credential_username_new(out, user ?? "git")
        }
        credentialsAsked += 1
        if credentialsAsked > 1 { return GIT_EAUTH.rawValue }
        if allowed & GIT_CREDENTIAL_SSH_KEY.rawValue != 0, let key = spec.sshKeyText {
            return git_credential_ssh_key_memory_new(out, user ?? "git", nil, key, nil)
        }
        if allowed & GIT_CREDENTIAL_SSH_KEY.rawValue != 0, let key = spec.sshKey {
            return git_credential_ssh_key_new(out, user ?? "git", nil, key, nil)
        }
        if allowed & GIT_CREDENTIAL_USERPASS_PLAINTEXT.rawValue != 0, let token = spec.token,
            spec.address.transport == .https || spec.address.transport == .http
        {
            guard spec.address.transport == .https || spec.address.isLoopback else {
                verdict = Failure(
                    code: "fetch-auth", "\(spec.address) asks for a token, which would travel unencrypted.",
                    hints: [.init("Use the https address of the repository.")])
                return GIT_EAUTH.rawValue
            }
            return git_credential_userpass_plaintext_new(
                out, spec.username ?? user ?? "x-access-token", token)
        }
        return GIT_EAUTH.rawValue
    }

    fileprivate func checkCertificate(_ certificate: UnsafeMutablePointer<git_cert>?, isValid: Bool) -> Int32
    {
        guard let certificate, let host = kinto_git_hostkey(certificate)?.pointee else {
            // TLS: the library compared it with the system's authorities.
            if isValid { return 0 }
            verdict = Failure(
                code: "fetch-tls", "The certificate of \(spec.address.host) is not valid.",
                hints: [.init("Look at it, or install the authority that signed it.", command: tlsCommand)])
            return GIT_ECERTIFICATE.rawValue
        }
        guard host.type.rawValue & GIT_CERT_SSH_RAW.rawValue != 0, let start = host.hostkey,
            host.hostkey_len > 0
        else {
            verdict = Failure(
                code: "host-key-unknown", "\(spec.address.host) showed no key that can be checked.")
            return GIT_ECERTIFICATE.rawValue
        }
        let key = UnsafeBufferPointer(start: start, count: host.hostkey_len).map { UInt8(bitPattern: $0) }
        let (name, port) = (spec.address.host, spec.address.port)
        let answer = knownHosts.verdict(host: name, port: port, key: key)
        if answer == .trusted { return 0 }
        let evidence = [
            "fingerprint: \(KnownHosts.fingerprint(key))",
            "line: \(KnownHosts.line(host: name, port: port, key: key))",
        ]
        let file = spec.knownHosts ?? "known_hosts"
        verdict =
            answer == .unknown
            ? Failure(
                code: "host-key-unknown", "The key of \(name) is not in \(file), so it may be anyone's.",
                evidence: evidence,
                hints: [
                    .init(
                        "Compare the fingerprint with what the host publishes, then add the line to \(file).")
                ])
            : Failure(
                code: "host-key-changed",
                "The key of \(name) is \(answer == .revoked ? "revoked" : "not the one") in \(file): "
                    + "the host was changed, or someone stands in between.",
                evidence: evidence,
                hints: [.init("Ask the host's operator; only then replace its line in \(file).")])
        return GIT_ECERTIFICATE.rawValue
    }

    private var tlsCommand: String {
        "openssl s_client -connect \(spec.address.host):\(spec.address.port ?? 443) -servername \(spec.address.host)"
    }

    /// - Returns: whether the fetch may go on.
    fileprivate func progress(_ stats: git_indexer_progress) -> Bool {
        let limits = spec.limits
        if Int(stats.total_objects) > limits.objects {
            verdict = tooLarge("has \(stats.total_objects) objects to send", "objects")
        } else if stats.received_bytes > limits.bytes {
            verdict = tooLarge("sends more than \(limits.bytes) bytes", "bytes")
        }
        if verdict != nil { return false }
        let wasReceived = isReceived
        isReceived = stats.total_objects > 0 && stats.received_objects == stats.total_objects
        guard FetchSession.isDue(&lastReport, every: 100) || isReceived != wasReceived else { return true }
        report(
            FetchProgress(
                received: Int(stats.received_objects), total: Int(stats.total_objects),
                bytes: stats.received_bytes))
        return true
    }

    /// Whether so many milliseconds have passed since the time that is kept, which is now then.
    private static func isDue(_ last: inout timespec, every interval: Int) -> Bool {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let elapsed = (now.tv_sec - last.tv_sec) * 1000 + (now.tv_nsec - last.tv_nsec) / 1_000_000
        guard elapsed >= interval else { return false }
        last = now
        return true
    }

    private func tooLarge(_ what: String, _ setting: String) -> Failure {
        FetchFailure.tooLarge("\(spec.address) \(what).", setting)
    }

    fileprivate func remoteSays(_ bytes: UnsafeBufferPointer<CChar>) {
        if FetchSession.isDue(&lastText, every: 50) { live(.alive) }
        remoteText += bytes.map { UInt8(bitPattern: $0) }
        if remoteText.count > 4096 { remoteText.removeFirst(remoteText.count - 4096) }
    }

    private func explain(_ error: GitError) -> Failure {
        var failure = FetchFailure.explain(
            code: error.code, isTLS: error.category == Int32(bitPattern: GIT_ERROR_SSL.rawValue),
            message: error.message, spec: spec)
        failure.evidence += shown(remoteText).split(whereSeparator: \.isNewline).suffix(5).map {
            "remote: \($0)"
        }
        return failure
    }
}

// File-scope functions: a closure written in a method would take on that method's isolation without a check.

private func session(_ payload: UnsafeMutableRawPointer?) -> FetchSession? {
    payload.map { Unmanaged<FetchSession>.fromOpaque($0).takeUnretainedValue() }
}

private func credentialsCallback(
    _ out: UnsafeMutablePointer<UnsafeMutablePointer<git_credential>?>?, _ url: UnsafePointer<CChar>?,
    _ user: UnsafePointer<CChar>?, _ allowed: UInt32, _ payload: UnsafeMutableRawPointer?
) -> Int32 {
    session(payload)?.credentials(out, user.map { String(cString: $0) }, allowed) ?? GIT_EAUTH.rawValue
}

private func certificateCallback(
    _ certificate: UnsafeMutablePointer<git_cert>?, _ isValid: Int32, _ host: UnsafePointer<CChar>?,
    _ payload: UnsafeMutableRawPointer?
) -> Int32 {
    session(payload)?.checkCertificate(certificate, isValid: isValid == 1) ?? GIT_ECERTIFICATE.rawValue
}

private func progressCallback(
    _ stats: UnsafePointer<git_indexer_progress>?, _ payload: UnsafeMutableRawPointer?
) -> Int32 {
    guard let stats, let session = session(payload) else { return 0 }
    return session.progress(stats.pointee) ? 0 : GIT_EUSER.rawValue
}

private func sidebandCallback(
    _ text: UnsafePointer<CChar>?, _ length: Int32, _ payload: UnsafeMutableRawPointer?
) -> Int32 {
    if let text, length > 0 {
        session(payload)?.remoteSays(UnsafeBufferPointer(start: text, count: Int(length)))
    }
    return 0
}
