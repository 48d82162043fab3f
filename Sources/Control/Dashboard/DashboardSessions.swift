// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Synchronization
internal import Wire

/// Who is signed in. Kept in memory and by hash only: a server that starts again asks again.
final class DashboardSessions: Sendable {
    /// What it was begun with; it ends with that.
    enum Origin: Sendable, Equatable {
        /// By its hash.
        case token(String)
        /// - Parameter stamp: the user's at that time.
        case user(String, stamp: String)
    }

    struct Session: Sendable {
        let origin: Origin
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
    func begin(_ origin: Origin) -> String {
        let cookie = Actions.random()
        let session = Session(
            origin: origin, csrf: Actions.random(), until: .now + .seconds(DashboardSessions.seconds))
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
