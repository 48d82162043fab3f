// SPDX-License-Identifier: Apache-2.0
internal import Synchronization
internal import Wire

/// Who is signed in. Kept in memory and by hash only: a server that starts again asks for the token again.
final class DashboardSessions: Sendable {
    struct Session: Sendable {
        /// The hash of the API token it was begun with; it ends with that.
        let token: String
        /// What each form of it carries.
        let csrf: String
        let until: ContinuousClock.Instant

        /// Compared by hash: what the time of the comparison tells is of no use.
        func isToken(_ text: String) -> Bool { Actions.hash(text) == Actions.hash(csrf) }
    }

    /// Twelve hours.
    static let seconds = 43_200
    /// The oldest are forgotten beyond it.
    private static let most = 1000

    private let sessions = Mutex<[String: Session]>([:])

    /// - Returns: the cookie's value.
    func begin(token: String) -> String {
        let cookie = Actions.random()
        let session = Session(
            token: token, csrf: Actions.random(), until: .now + .seconds(DashboardSessions.seconds))
        sessions.withLock { sessions in
            sessions = sessions.filter { $0.value.until > .now }
            if sessions.count >= DashboardSessions.most,
                let oldest = sessions.min(by: { $0.value.until < $1.value.until })
            {
                sessions[oldest.key] = nil
            }
            sessions[Actions.hash(cookie)] = session
        }
        return cookie
    }

    /// nil: unknown, or over.
    func session(_ cookie: String) -> Session? {
        sessions.withLock { $0[Actions.hash(cookie)] }.flatMap { $0.until > .now ? $0 : nil }
    }

    func end(_ cookie: String) { sessions.withLock { $0[Actions.hash(cookie)] = nil } }
}
