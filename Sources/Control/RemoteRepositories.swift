// SPDX-License-Identifier: Apache-2.0
internal import Crypto
internal import Glibc
internal import KintoCore
internal import Rollout
internal import Runner
internal import Wire

/// The repositories that are fetched from, each with its service's credentials.
struct RemoteRepositories: RemoteFetcher {
    let home: Home
    let store: Store
    let fetcher: Fetcher
    let hosts: KnownHostsFile
    let limits: FetchLimits
    /// Environments of a service fetch into the same mirror: one after the other.
    private let turns = SwapGate()
    /// Those that only look do not hold up those that fetch.
    private let looks = SwapGate()

    init(home: Home, store: Store, fetcher: Fetcher, limits: FetchLimits) {
        self.limits = limits
        self.home = home
        self.store = store
        self.fetcher = fetcher
        hosts = KnownHostsFile(path: "\(home.path)/known_hosts")
    }

    func fetch(_ service: RegisteredService, branch: String, log: @escaping @Sendable (LogLine) -> Void)
        async throws -> CommitID
    {
        try await makeMirror(home.repository(service.name))
        return try await turns.with(Target(service: service.name)) {
            try Task.checkCancellation()
            return try await fetcher.fetch(
                spec(service, RefName.full(branch)), deadline: .milliseconds(limits.totalTime)
            ) { progress in
                log(
                    .detail(
                        "received \(progress.received) of \(progress.total) objects, \(progress.bytes) bytes")
                )
            }
        }
    }

    /// Looks at a branch with its history. What is not here yet is fetched into a repository of its own, which is gone
    /// afterwards: the service's own stays as it was.
    /// - Parameters:
    ///   - known: a commit that is live, from where on the history is fetched.
    ///   - body: is given a repository with the commit that the branch is at.
    func look<T: Sendable>(
        _ service: RegisteredService, branch: String, known: CommitID?,
        _ body: @Sendable (String, CommitID) async throws -> T
    ) async throws -> T {
        let mirror = home.repository(service.name)
        let commit = try await tip(service, reference: RefName.full(branch))
        if try await Blocking.run({ try GitRepository(opening: mirror).holds(commit) }) {
            return try await body(mirror, commit)
        }
        return try await looks.with(Target(service: service.name)) {
            let place = home.look(service.name)
            try await Blocking.run {
                try Files.removeTree(place)
                try GitRepository.createBare(place)
                try Files.replace(
                    "\(place)/objects/info/alternates", with: Array("\(mirror)/objects\n".utf8),
                    durable: false)
                let repository = try GitRepository(opening: place)
                if let known, try repository.holds(known) { try repository.pin(known, name: "known") }
            }
            do {
                var spec = try await spec(service, RefName.full(branch))
                spec.repository = place
                // The branch may have moved since: what is there now counts.
                let now = try await fetcher.fetch(spec, deadline: .milliseconds(limits.totalTime))
                let result = try await body(place, now)
                try? await Blocking.run { try Files.removeTree(place) }
                return result
            } catch {
                try? await Blocking.run { try Files.removeTree(place) }
                throw error
            }
        }
    }

    /// The commit that a reference, or HEAD, is at there; nothing is downloaded.
    func tip(_ service: RegisteredService, reference: String) async throws -> CommitID {
        try await makeMirror(home.repository(service.name))
        var spec = try await spec(service, reference)
        spec.onlyLists = true
        return try await fetcher.fetch(spec, deadline: .seconds(30))
    }

    func fetch(
        _ commit: CommitID, from address: GitAddress, for service: RegisteredService, isTrusted: Bool,
        deadline: Duration
    ) async throws -> String {
        // By what it is fetched from, so that nothing that a repository says becomes a path.
        // What was fetched with credentials is not for those who get none.
        let place = isTrusted ? address.description : "anonymous \(address)"
        let name = hexadecimal(SHA256.hash(data: Array(place.utf8)).prefix(20))
        let path = "\(home.submodules(service.name))/\(name).git"
        try Files.makeDirectories(home.submodules(service.name))
        try await makeMirror(path)
        let isThere = try await Blocking.run {
            // What people are told that it is: also if a server died between the two.
            let description = Array("\(address)\n".utf8)
            if (try? Files.read("\(path)/description", limit: 4096)) != description {
                try Files.replace("\(path)/description", with: description, durable: false)
            }
            // Retention goes by the time of the last use.
            utimensat(AT_FDCWD, path, nil, 0)
            return try GitRepository(opening: path).holds(commit)
        }
        if isThere { return path }
        var spec = try await spec(service, at: address, isTrusted: isTrusted)
        spec.repository = path
        spec.references = []
        spec.commit = commit
        _ = try await fetcher.fetch(spec, deadline: deadline)
        return path
    }

    /// Also where a server died while it made one.
    private func makeMirror(_ path: String) async throws {
        try await Blocking.run {
            guard !Files.exists("\(path)/HEAD") else { return }
            do { try GitRepository.createBare(path) } catch let failure as Failure
                where failure.code == "repository-exists"
            {}
        }
    }

    /// A look at a repository, and what was learned of its host.
    struct Meeting: Sendable {
        /// The branch's commit, or why it cannot be had.
        let tip: Result<CommitID, Failure>
        /// The fingerprint of a host key that was trusted from now on; nil: none was added.
        let pinned: String?
    }

    /// Looks at a repository for the first time: the key that an ssh host shows now is trusted from here on, and no other. Its
    /// fingerprint is for the operator to compare.
    func meet(_ service: RegisteredService, reference: String) async -> Meeting {
        do { return Meeting(tip: .success(try await tip(service, reference: reference)), pinned: nil) } catch
        {
            let failure = Lanes.failure(error)
            guard failure.code == "host-key-unknown",
                let line = failure.evidence.lazy.compactMap({ value("line: ", in: $0) }).first,
                let fingerprint = failure.evidence.lazy.compactMap({ value("fingerprint: ", in: $0) }).first
            else { return Meeting(tip: .failure(failure), pinned: nil) }
            do {
                try await hosts.add(line)
                return Meeting(
                    tip: .success(try await tip(service, reference: reference)), pinned: fingerprint)
            } catch { return Meeting(tip: .failure(Lanes.failure(error)), pinned: fingerprint) }
        }
    }

    private func value(_ name: String, in line: String) -> String? {
        line.hasPrefix(name) ? String(line.dropFirst(name.count)) : nil
    }

    private func spec(_ service: RegisteredService, _ reference: String) async throws -> FetchSpec {
        var spec = try await spec(service, at: GitAddress(service.repository), isTrusted: true)
        spec.references = [reference]
        return spec
    }

    /// - Parameter isTrusted: whether the service's credentials go there.
    private func spec(
        _ service: RegisteredService, at address: GitAddress, isTrusted: Bool
    ) async throws -> FetchSpec {
        var spec = FetchSpec(
            address: address, repository: home.repository(service.name), references: [],
            knownHosts: hosts.path)
        spec.limits = limits
        guard isTrusted else { return spec }
        let credentials = try await store.credentials(service.name)
        spec.username = credentials.username
        spec.token = credentials.token
        spec.sshKeyText = credentials.sshKey
        spec.authorities = credentials.authorities
        return spec
    }
}

/// The keys of ssh hosts that are trusted, in the form of sshd(8). Operators may write to it, too.
actor KnownHostsFile {
    nonisolated let path: String

    init(path: String) { self.path = path }

    /// Adds a line; the file is whole at every moment.
    func add(_ line: String) throws {
        let old = Files.exists(path) ? try Files.read(path, limit: 16 << 20) : []
        let needsEnd = !old.isEmpty && old.last != UInt8(ascii: "\n")
        try Files.replace(path, with: old + Array("\(needsEnd ? "\n" : "")\(line)\n".utf8))
    }
}
