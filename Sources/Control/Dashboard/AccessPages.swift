// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import Hummingbird
internal import KintoCore
internal import Wire

/// One's own account; for admins all accounts, and the audit log.
struct AccessPages: Sendable {
    let dashboard: Dashboard

    private var accounts: Accounts { dashboard.actions.accounts }
    private var store: Store { dashboard.actions.store }
    private static let entries = 100

    func add(to router: NotedRouter) {
        dashboard.get(router, "/account", .viewer) { visit in
            try dashboard.page(
                "account", ["title": visit.by, "isUser": AccessPages.user(visit) != nil], visit)
        }
        dashboard.post(router, "/account/password", .viewer("password")) { try await changePassword($0) }
        dashboard.get(router, "/accounts", .admin) { try await show($0) }
        dashboard.post(router, "/accounts/users", .like("POST", "/users")) { visit in
            try await saveUser(visit)
            return dashboard.redirect("/accounts")
        }
        dashboard.post(router, "/accounts/users/remove", .like("DELETE", "/users/{name}")) { visit in
            let name = visit.form["name"] ?? ""
            visit.context.note.about(name)
            try await accounts.removeUser(name)
            return dashboard.redirect("/accounts")
        }
        dashboard.post(router, "/accounts/tokens", .like("POST", "/tokens")) { visit in
            let name = try AccountName(visit.form["name"] ?? "")
            visit.context.note.about(name.description)
            let role = try AccessPages.role(visit)
            let made = try await accounts.addToken(name, role)
            return try await show(
                visit, made: ["name": made.name, "role": role.rawValue, "token": made.token])
        }
        dashboard.post(router, "/accounts/tokens/remove", .like("DELETE", "/tokens/{name}")) { visit in
            let name = visit.form["name"] ?? ""
            visit.context.note.about(name)
            try await accounts.removeToken(name)
            return dashboard.redirect("/accounts")
        }
        dashboard.get(router, "/audit", .like("GET", "/audit")) { try await audit($0) }
    }

    private static func user(_ visit: Dashboard.Visit) -> String? {
        guard case .user(let name) = visit.principal.account else { return nil }
        return name
    }

    private static func role(_ visit: Dashboard.Visit) throws -> Role {
        guard let role = Role(rawValue: visit.form["role"] ?? "") else {
            throw Failure(code: "invalid-request", "a role is \(Role.words)")
        }
        return role
    }

    private func changePassword(_ visit: Dashboard.Visit) async throws -> Response {
        guard let name = AccessPages.user(visit) else {
            throw Failure(code: "invalid-request", "a token has no password")
        }
        visit.context.note.about(name)
        guard try await accounts.user(name, password: visit.form["old"] ?? "") != nil else {
            throw Failure(code: "invalid-password", "the password that is in force now is another one")
        }
        try await accounts.changeUser(name, role: nil, password: visit.form["new"] ?? "")
        return dashboard.redirect("/sign-in")
    }

    private func saveUser(_ visit: Dashboard.Visit) async throws {
        let name = try AccountName(visit.form["name"] ?? "")
        visit.context.note.about(name.description)
        let (role, password) = (try AccessPages.role(visit), visit.form["password"] ?? "")
        guard try await store.user(name.description) != nil else {
            return try await accounts.addUser(name, role, password: password)
        }
        visit.context.note.call("user set")
        try await accounts.changeUser(
            name.description, role: role, password: password.isEmpty ? nil : password)
    }

    private func show(_ visit: Dashboard.Visit, made: [String: Any]? = nil) async throws -> Response {
        func row(_ name: String, _ role: Role, _ last: Timestamp?) -> [String: Any] {
            ["name": name, "role": role.rawValue, "last": last.map { Moment($0).values } ?? false as Any]
        }
        let users = try await store.users().map { row($0.name, $0.role, $0.lastSignInAt) }
        let tokens = try await store.tokens().map { row($0.name, $0.role, $0.lastUsedAt) }
        return try dashboard.page(
            "accounts",
            [
                "title": "Accounts", "made": made ?? false as Any, "hasUsers": !users.isEmpty, "users": users,
                "hasTokens": !tokens.isEmpty, "tokens": tokens,
            ], visit)
    }

    private func audit(_ visit: Dashboard.Visit) async throws -> Response {
        let asked = visit.asked.filter { !$0.value.isEmpty }
        let (who, service) = (asked["who"], asked["service"])
        let entries = try await store.audit(
            service: service.map { try ServiceName($0) }, who: who,
            before: visit.number("before").map(Int64.init), limit: AccessPages.entries)
        var older = URLComponents()
        older.path = "/audit"
        older.queryItems = [
            URLQueryItem(name: "who", value: who ?? ""), URLQueryItem(name: "service", value: service ?? ""),
            URLQueryItem(name: "before", value: "\(entries.last?.id ?? 0)"),
        ]
        return try dashboard.page(
            "audit",
            [
                "title": "Audit log", "askedWho": who ?? "", "askedService": service ?? "",
                "hasEntries": !entries.isEmpty,
                "older": entries.count == AccessPages.entries ? older.string ?? "" : false as Any,
                "entries": entries.map { entry -> [String: Any] in
                    Moment(entry.at).values.merging([
                        "entryWho": entry.who, "entryRole": entry.role?.rawValue ?? "",
                        "door": entry.door.rawValue, "action": entry.action, "target": entry.target,
                        "what": entry.what, "result": entry.result,
                        "tone": entry.result == AuditEntry.done
                            ? "ok" : entry.result == AuditEntry.begun ? "busy" : "bad",
                    ]) { $1 }
                },
            ], visit)
    }
}
