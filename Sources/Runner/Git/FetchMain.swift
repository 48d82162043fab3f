// SPDX-License-Identifier: Apache-2.0
internal import CGit2
internal import Glibc
internal import KintoCore
internal import Wire

/// The child process that fetches, the hidden command `kinto fetch`. A remote that hangs blocks libgit2 for
/// ever, so that only the end of a process helps; and its memory and faults stay out of the control process.
///
/// Reads a `FetchSpec` as one frame from standard input, which stays open: when it ends, so does the process.
/// Writes lines: `connected` once the other side has listed its branches, `progress RECEIVED TOTAL BYTES` at most ten
/// times a second, `alive` when it says something else, then `done COMMIT`, or `evidence
/// TEXT` and `hint TEXT` lines and `failed CODE MESSAGE`.
public enum FetchMain {
    /// Runs the fetch.
    /// - Returns: the exit status: 0 done, 1 failed, 2 not asked as it should be.
    public static func run() -> Int32 {
        signal(SIGPIPE, SIG_IGN)
        // What a remote sends may take much memory: not with the server's protection.
        if let file = try? Descriptor.open("/proc/self/oom_score_adj", O_WRONLY) {
            try? file.writeAll("500".utf8)
        }
        let input = Descriptor(owning: dup(0))
        let output = Descriptor(owning: dup(1))
        func say(_ line: String) {
            // The parent may be gone, and then nobody listens.
            try? output.writeAll(
                Array((line.split(whereSeparator: \.isNewline).joined(separator: " ") + "\n").utf8))
        }
        let fields: Fields
        do {
            guard let frame = try Frame.read(from: input) else { return 2 }
            fields = frame
        } catch {
            say("failed git-failed The fetch was asked for in a form that is not understood.")
            return 2
        }
        do {
            _ = try WorkerThread.start(detached: true) {
                var byte: UInt8 = 0
                while true {
                    let count = read(input.raw, &byte, 1)
                    if count == 0 || (count < 0 && errno != EINTR) { _exit(3) }
                }
            }
            let spec = try FetchSpec(fields)
            try bound(spec.limits)
            let mirror = try openMirror(spec)
            try refuseMetadata(spec.address)
            let knownHosts = try prepareKnownHosts(spec)
            try trustAuthorities(spec)
            let session = FetchSession(spec, knownHosts: knownHosts, live: { say($0.rawValue) }) {
                say("progress \($0.received) \($0.total) \($0.bytes)")
            }
            let commit = try session.run()
            withExtendedLifetime(mirror) {}
            say("done \(commit)")
            return 0
        } catch {
            let failure =
                (error as? Failure) ?? (error as? SystemError)?.failure("The fetch")
                ?? Failure(code: "fetch-failed", "The fetch failed: \(error).")
            for line in failure.evidence { say("evidence \(line)") }
            for hint in failure.hints { say("hint \(hint.text)\(hint.command.map { "\t\($0)" } ?? "")") }
            say("failed \(failure.code) \(failure.message)")
            return 1
        }
    }

    /// Whatever the other side makes of few bytes, the memory for it ends here.
    private static func bound(_ limits: FetchLimits) throws(Failure) {
        var most = rlimit(rlim_cur: rlim_t(limits.memory), rlim_max: rlim_t(limits.memory))
        setrlimit(__rlimit_resource_t(RLIMIT_DATA.rawValue), &most)
        try LibGit2.bound(objects: limits.objects)
    }

    /// libgit2 looks for `.ssh/known_hosts` in the home directory that it finds when it starts: it gets one
    /// of its own, whose file is made for this one host. The verdict is ours, this only settles the kind of
    /// key asked for.
    private static func openMirror(_ spec: FetchSpec) throws -> FetchMirror? {
        setenv("HOME", "\(spec.repository)/kinto-home", 1)
        // What only lists writes nothing, and does not wait for what does.
        return spec.onlyLists ? nil : try FetchMirror(spec.repository)
    }

    /// The library takes them from a file only, and then trusts no others.
    private static func trustAuthorities(_ spec: FetchSpec) throws {
        guard let text = spec.authorities else { return }
        let path = "\(spec.repository)/kinto-home/authorities.pem"
        try Files.makeDirectories("\(spec.repository)/kinto-home")
        try Files.replace(path, with: Array(text.utf8), durable: false)
        try LibGit2.start()
        guard kinto_git_opts_authorities(path) == 0 else {
            throw Failure(
                code: "fetch-tls",
                "The certificates that were given for \(spec.address.host) cannot be read.",
                hints: [.init("Give them again, in PEM form: kinto service set NAME --ca-from FILE")])
        }
    }

    /// The library takes no address, so that it resolves the name once more: this is against mistakes and tricks with addresses,
    /// not against who answers for the name and says now this and now that.
    private static func refuseMetadata(_ address: GitAddress) throws(Failure) {
        guard address.transport != .local, let found = MetadataAddress.behind(address.host) else { return }
        throw Failure(
            code: "address-refused",
            "\(address.host) leads to \(found), an address of this link or of its cloud: nothing is fetched from there.",
            hints: [.init("Look where the name leads.", command: "getent ahosts \(address.host)")])
    }

    private static func prepareKnownHosts(_ spec: FetchSpec) throws -> KnownHosts {
        // No file knows no host.
        let text =
            try spec.knownHosts.map { Files.exists($0) ? try Files.read($0, limit: 16 << 20) : [] } ?? []
        let known = KnownHosts(String(decoding: text, as: UTF8.self))
        if spec.address.transport == .ssh {
            let directory = "\(spec.repository)/kinto-home/.ssh"
            try Files.makeDirectories(directory)
            try Files.replace(
                "\(directory)/known_hosts",
                with: Array(known.ordered(host: spec.address.host, port: spec.address.port).utf8),
                durable: false)
        }
        return known
    }
}
