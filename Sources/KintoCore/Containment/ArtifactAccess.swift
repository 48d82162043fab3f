// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Wire

/// Whose an artifact is: its service's, where services run as a user of their own; builds do not get to it.
public struct ArtifactAccess: Sendable {
    private let containment: Containment

    public init(containment: Containment) { self.containment = containment }

    /// Before a tree is stored: takes it from the build's user. Blocks.
    /// - Parameter isBuilt: whether the build had it in its hands.
    /// - Throws: `artifact-refused` naming a file that is not the build's own: it may be a second name for a file that the
    ///   build could not read.
    public func take(_ tree: String, isBuilt: Bool) throws {
        guard containment.buildUser != nil || containment.serviceUser != nil else { return }
        let own = Confinement.User(user: geteuid(), group: getegid())
        let builder = isBuilt ? containment.buildUser?.identity ?? own : own
        do {
            try Ownership.give(tree, to: containment.serviceUser?.identity ?? own, from: builder.user)
        } catch {
            guard error.code == EPERM else { throw error }
            throw Failure(
                stage: .store, code: "artifact-refused",
                "'\(error.subject)' belongs to another user than the build's, so it cannot be kept",
                hints: [.init("have the build copy it instead of linking it")])
        }
    }

    /// Before something of an artifact runs: its user gets through to it. Blocks.
    public func open(_ tree: String) throws {
        guard let user = containment.serviceUser?.identity else { return }
        let place = Files.parent(of: tree)
        try Ownership.letThrough(Files.parent(of: place), [user.user])
        try Ownership.letThrough(place, [user.user])
        // Stored before there was such a user.
        var status = stat()
        guard lstat(tree, &status) == 0, status.st_uid != user.user else { return }
        try Ownership.give(tree, to: user)
    }
}
