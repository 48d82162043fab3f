// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Runner
internal import Wire

extension Actions {
    /// What lies between two commits, both ways: of a rollback most is taken, of a deploy most is brought.
    struct CommitDifference: Sendable {
        struct Side: Sendable {
            /// The newest twenty.
            let newest: [CommitInfo]
            let count: Int
        }
        let brought, taken: Side
    }

    /// - Returns: nil when the repository does not have both of them any more: then there is nothing to show, and nothing that would
    ///   keep a release from coming back.
    func difference(of service: ServiceName, from old: CommitID?, to new: CommitID?) async
        -> CommitDifference?
    {
        guard let new, let service = try? await store.service(service) else { return nil }
        let path = service.source == .remote ? home.repository(service.name) : service.repository
        return try? await git.run {
            let repository = try GitRepository(opening: path)
            let brought = try repository.commits(since: old, to: new, limit: 20)
            let taken = try old.map { try repository.commits(since: new, to: $0, limit: 20) }
            return CommitDifference(
                brought: .init(newest: brought.newest, count: brought.count),
                taken: .init(newest: taken?.newest ?? [], count: taken?.count ?? 0))
        }
    }

    /// What a deploy would bring: of what the environment tracks, as it is in the repository now.
    /// - Returns: nil when that is not known before it is fetched, or a pattern leaves it open.
    func waiting(for environment: RegisteredEnvironment, since live: Release?) async throws
        -> CommitDifference?
    {
        guard let service = try await store.service(environment.target.service), service.source != .remote,
            let reference = environment.pattern.reference,
            let tip = try? await tip(of: RefName.short(reference), in: service.repository)
        else { return nil }
        return await difference(of: service.name, from: live?.commit, to: tip)
    }

    /// Where its commits come from, without what may be secret of the address.
    static func shownRepository(_ service: RegisteredService) -> String {
        Credentials.redacted(service.repository)
    }
}
