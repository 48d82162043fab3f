// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Logging
internal import Synchronization

/// Users and tokens: who comes with what, and what ends with them.
final class Accounts: Sendable {
    let presence = Presence()
    private let store: Store
    /// When it was last written down that a token was used.
    private let noted = Mutex<[String: ContinuousClock.Instant]>([:])
    /// Names of accounts of this machine, by number: a directory service that is away holds up nobody who was here before.
    private let names = Mutex<[UInt32: String]>([:])

    init(store: Store) { self.store = store }

    /// Who came with a token. The store keeps hashes, so what is compared is not secret.
    func principal(token: String) async throws -> Principal? {
        try await principal(hash: Actions.hash(token))
    }

    func principal(hash: String) async throws -> Principal? {
        guard let token = try await store.token(hash: hash) else { return nil }
        noteUse(hash)
        return token.principal
    }

    /// An account of this machine, which could open the socket.
    func local(_ user: UInt32?) async -> Principal {
        guard let user else { return Principal(.local("unknown"), .admin) }
        var name = names.withLock { $0[user] }
        if name == nil {
            name = try? await Blocking.run { SystemUser.name(of: user) }
            names.withLock { $0[user] = name }
        }
        return Principal(.local(name ?? "\(user)"), .admin)
    }

    /// The user with that password; nil: no such name, or another password, which take the same time.
    func user(_ name: String, password: String) async throws -> UserRecord? {
        guard password.utf8.count <= PasswordHash.longest else { return nil }
        let user = try await store.user(name)
        let hash = user.flatMap { PasswordHash($0.password) }
        let isRight = try await (hash ?? .nobody).matches(password)
        return isRight && hash != nil ? user : nil
    }

    /// Nobody waits for it.
    private func noteUse(_ hash: String) {
        let isDue = noted.withLock { noted in
            if let last = noted[hash], .now - last < .seconds(60) { return false }
            noted[hash] = .now
            return true
        }
        if isDue { Task { try? await store.noteUse(ofToken: hash) } }
    }

    // MARK: Changes

    /// - Parameter name: nil: one is found.
    /// - Returns: the token, which is shown this once.
    func addToken(_ name: AccountName?, _ role: Role) async throws -> (name: String, token: String) {
        let token = "kinto_" + Actions.random()
        let name = try await store.addToken(hash: Actions.hash(token), name: name, role: role)
        return (name, token)
    }

    func removeToken(_ name: String) async throws {
        presence.end(try await store.removeToken(name).principal.account)
    }

    func addUser(_ name: AccountName, _ role: Role, password: String) async throws {
        try PasswordHash.check(password, of: name)
        let hash = try await PasswordHash.make(password)
        try await store.addUser(name, role: role, password: hash.text, stamp: Actions.random())
    }

    /// Ends what was begun before with the old ones.
    /// - Returns: the user with what it is now.
    @discardableResult
    func changeUser(_ name: String, role: Role?, password: String?) async throws -> UserRecord {
        var hash: String?
        if let password {
            if let name = try? AccountName(name) { try PasswordHash.check(password, of: name) }
            hash = try await PasswordHash.make(password).text
        }
        let user = try await store.changeUser(name, role: role, password: hash, stamp: Actions.random())
        presence.end(user.principal.account)
        return user
    }

    func removeUser(_ name: String) async throws {
        presence.end(try await store.removeUser(name).principal.account)
    }
}
