// SPDX-License-Identifier: Apache-2.0

/// What an account may do: each role may do what those before it may.
public enum Role: String, Sendable, Codable, CaseIterable, Comparable {
    /// Reads everything but secrets, accounts and the audit log.
    case viewer
    /// Changes what runs: deploys, rollbacks, configuration, traffic.
    case deployer
    /// Changes what there is, and who may do what.
    case admin

    private var rank: Int { Role.allCases.firstIndex(of: self) ?? 0 }

    public static func < (a: Role, b: Role) -> Bool { a.rank < b.rank }

    /// `viewer, deployer or admin`
    public static let words = "viewer, deployer or admin"
}
