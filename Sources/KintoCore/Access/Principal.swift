// SPDX-License-Identifier: Apache-2.0

/// The way by which something was asked for.
public enum Door: String, Sendable, Codable, CaseIterable {
    /// The unix socket, by an account of this machine.
    case socket
    case api, dashboard
    /// A git hook of a repository on this machine.
    case hook
    case webhook
}

/// Who asks, with the role as it was when that was found out.
public struct Principal: Sendable, Equatable {
    public enum Account: Sendable, Hashable {
        case user(String)
        /// - Parameter hash: as the store keeps it: names may be used again.
        case token(name: String, hash: String)
        /// An account of this machine.
        case local(String)
    }

    public let account: Account
    public let role: Role

    public init(_ account: Account, _ role: Role) {
        self.account = account
        self.role = role
    }

    /// As it stands in releases and in the audit log: `ada`, `token ci`, `local root`. A user's name has no space.
    public var name: String {
        switch account {
        case .user(let name): name
        case .token(let name, _): "token \(name)"
        case .local(let name): "local \(name)"
        }
    }
}
