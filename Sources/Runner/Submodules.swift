// SPDX-License-Identifier: Apache-2.0
internal import KintoCore

/// What is checked out at a submodule's path.
struct Submodule: Sendable, Equatable {
    /// Of a repository of kinto's own.
    let repository: String
    let commit: CommitID
}

/// Gets the submodules of a commit, and those within them, each at the commit that the tree names.
struct Submodules: Sendable {
    let fetcher: any RemoteFetcher
    let git: GitExecutor
    let service: RegisteredService
    /// A stranger writes the addresses then: nothing is fetched with the service's credentials.
    var isOfFork = false

    private struct Parent {
        let repository: String
        let commit: CommitID
        /// nil: pushed to this host.
        let address: GitAddress?
        /// Of its own path, ended by a slash unless empty.
        let prefix: String
        let depth: Int
    }

    /// - Parameters:
    ///   - repository: absolute path of the one that holds `commit`.
    ///   - log: what people see.
    /// - Returns: by their paths from the top of the commit.
    /// - Throws: `Failure` of code `submodule-refused`, `fetch-…`, `tree-…`, with the submodule's path in its message;
    ///   `CancellationError`.
    func fetch(
        _ commit: CommitID, in repository: String, log: @escaping @Sendable (LogLine) -> Void
    ) async throws -> [String: Submodule] {
        let own = service.source == .remote ? try GitAddress(service.repository) : nil
        let rules = SubmoduleRules(
            own: own, hosts: service.submoduleHosts, service: service.name.description)
        let limits = fetcher.limits
        let end = ContinuousClock.now + .milliseconds(limits.totalTime)
        var result: [String: Submodule] = [:]
        var pending = [
            Parent(repository: repository, commit: commit, address: own, prefix: "", depth: 0)
        ]
        while let parent = pending.popLast() {
            let (entries, list) = try await git.run {
                let source = try GitRepository(opening: parent.repository, trust: .registered)
                let entries = try source.submodules(of: parent.commit, limits: .init())
                return (
                    entries, entries.isEmpty ? [:] : try source.submoduleList(of: parent.commit).addresses
                )
            }
            for entry in entries {
                let path = parent.prefix + entry.path
                do {
                    guard result.count < limits.submodules else {
                        throw SubmoduleList.refused(
                            "There are more than \(limits.submodules) (limit submodules).",
                            hints: [.init("allow more", command: "kinto serve --fetch-limit submodules=…")])
                    }
                    guard parent.depth < FetchLimits.submoduleDepth else {
                        throw SubmoduleList.refused(
                            "There are more than \(FetchLimits.submoduleDepth) within each other.")
                    }
                    guard let url = list[entry.path] else {
                        throw SubmoduleList.refused(
                            "The file .gitmodules says nothing of it.",
                            hints: [.init("Add it there, or take it out: git rm --cached \(entry.path)")])
                    }
                    let address = try rules.address(url, relativeTo: parent.address)
                    log(.detail("submodule \(path): \(entry.commit.short) from \(address)"))
                    let mirror = try await fetcher.fetch(
                        entry.commit, from: address, for: service,
                        isTrusted: !isOfFork && rules.isTrusted(address),
                        deadline: max(.milliseconds(1), end - .now))
                    result[path] = Submodule(repository: mirror, commit: entry.commit)
                    pending.append(
                        Parent(
                            repository: mirror, commit: entry.commit, address: address, prefix: path + "/",
                            depth: parent.depth + 1))
                } catch var failure as Failure {
                    failure.message = "Submodule '\(path)': \(failure.message)"
                    throw failure.at(.fetch)
                }
            }
        }
        return result
    }
}
