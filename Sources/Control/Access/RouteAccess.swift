// SPDX-License-Identifier: Apache-2.0
internal import KintoCore

/// Who may ask for a route, and what the audit log calls that. Every route has one.
struct RouteAccess: Sendable, Equatable {
    /// nil: anybody, without an account.
    let role: Role?
    /// nil: nothing is changed, and nothing written down.
    let action: String?

    static let open = RouteAccess(role: nil, action: nil)
    static let viewer = RouteAccess(role: .viewer, action: nil)
    /// Reads what leads to what only deployers may do.
    static let deployer = RouteAccess(role: .deployer, action: nil)
    /// Reads what only admins may.
    static let admin = RouteAccess(role: .admin, action: nil)

    static func viewer(_ action: String) -> RouteAccess { RouteAccess(role: .viewer, action: action) }
    static func deployer(_ action: String) -> RouteAccess { RouteAccess(role: .deployer, action: action) }
    static func admin(_ action: String) -> RouteAccess { RouteAccess(role: .admin, action: action) }

    /// That of an operation of the API, for whatever does the same.
    /// - Parameter path: below `/api/v1`, with `{name}` for what varies.
    /// - Returns: nil when there is none: then its route is not served.
    static func like(_ method: String, _ path: String) -> RouteAccess? {
        Operations.operation(method, "/api/v1\(path)")?.access
    }
}
