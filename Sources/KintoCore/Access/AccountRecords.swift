// SPDX-License-Identifier: Apache-2.0
public import Wire

/// A token as it is listed: what it is recognised by is not kept.
public struct TokenRecord: Sendable, Equatable {
    public let name: String
    public let role: Role
    public let createdAt: Timestamp
    /// To the minute; nil: never, or before such times were kept.
    public let lastUsedAt: Timestamp?
    let hash: String

    /// Who comes with it.
    public var principal: Principal { Principal(.token(name: name, hash: hash), role) }
}

/// A person who signs in by name and password.
public struct UserRecord: Sendable, Equatable {
    public let name: String
    public let role: Role
    /// What the password is checked by; see `PasswordHash`.
    public let password: String
    /// Another one after each change of the role or the password: sessions that know the one before are over.
    public let stamp: String
    public let createdAt: Timestamp
    public let lastSignInAt: Timestamp?

    public var principal: Principal { Principal(.user(name), role) }
}
