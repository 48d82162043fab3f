// SPDX-License-Identifier: Apache-2.0
import GRDB
import TestSupport
import Testing
import Wire

@testable import KintoCore

/// Accounts and the audit log, as they are kept.
struct AccessTests {
    @Test func tokensOfBeforeMayDoEverythingAndHaveNamesOfTheirOwn() async throws {
        try await TemporaryDirectory.with { directory in
            let path = "\(directory)/kinto.db"
            let old = try DatabaseQueue(path: path)
            try Schema.migrations.migrate(old, upTo: "7-environments")
            try await old.write {
                try $0.execute(
                    sql: """
                        INSERT INTO token VALUES
                            ('a', 'token', 1), ('b', 'Token', 2), ('c', 'token', 3), ('d', 'token-2', 4), ('e', '<b>', 5);
                        """)
            }
            try old.close()
            let store = try Store(path: path, signs: ["token"])
            let tokens = try await store.tokens()
            #expect(tokens.allSatisfy { $0.role == .admin && $0.lastUsedAt == nil })
            #expect(Set(tokens.map { $0.name.lowercased() }).count == 5)
            #expect(try await store.token(hash: "a")?.name == "token")
            // Also one that no new token may be called can be removed.
            #expect(try await store.removeToken("<b>").name == "<b>")
            #expect(try await store.token(hash: "e") == nil)
        }
    }

    @Test(arguments: ["ada", "Ada.Lovelace", "ada@example.com", "x", "a+b", "a_b-c"])
    func aNameMayBe(name: String) throws { #expect(try AccountName(name).description == name) }

    @Test(arguments: [
        "", " ", "a b", "-a", "a-", "<script>", "a\"b", "a/b", "ä", "a\u{301}", "a\n", "token ci",
        String(repeating: "a", count: 65),
    ])
    func aNameMayNotBe(name: String) { #expect(throws: Failure.self) { try AccountName(name) } }

    @Test func eachRoleMayWhatThoseBeforeItMay() {
        #expect(Role.viewer < .deployer && .deployer < .admin)
    }

    @Test func aNameIsThereOnceHoweverItIsWritten() async throws {
        try await withStore { store in
            let ada = try AccountName("ada")
            try await store.addUser(ada, role: .viewer, password: "p", stamp: "1")
            await #expect(throws: Failure.self) {
                try await store.addUser(AccountName("ADA"), role: .admin, password: "q", stamp: "2")
            }
            #expect(try await store.user("Ada")?.role == .viewer)
            try await store.addToken(hash: "x", name: AccountName("ci"), role: .deployer)
            await #expect(throws: Failure.self) {
                try await store.addToken(hash: "y", name: AccountName("CI"), role: .deployer)
            }
            #expect(try await store.addToken(hash: "y", name: nil, role: .viewer) == "token")
            #expect(try await store.addToken(hash: "z", name: nil, role: .viewer) == "token-2")
        }
    }

    @Test func whatIsChangedOfAUserChangesTheStamp() async throws {
        try await withStore { store in
            try await store.addUser(AccountName("ada"), role: .viewer, password: "p", stamp: "1")
            let user = try await store.changeUser("ada", role: .deployer, password: nil, stamp: "2")
            #expect((user.role, user.password, user.stamp) == (.deployer, "p", "2"))
            await #expect(throws: Failure.self) {
                try await store.changeUser("eve", role: .admin, password: nil, stamp: "3")
            }
        }
    }

    @Test func theAuditLogIsBoundedByCountAndAge() async throws {
        try await withStore { store in
            for index in 1...1200 {
                var entry = AuditEntry(who: "ada", door: .api, action: "deploy", what: "\(index)")
                // Half of them of long ago.
                entry.at = index <= 600 ? Timestamp(milliseconds: Int64(index)) : .now
                _ = try await store.record(entry)
            }
            let year = Timestamp(milliseconds: 1_000_000)
            // The newest thousand stay whatever their dates say.
            #expect(try await store.forgetAudit(beyond: .max, before: year, isDry: true) == 200)
            #expect(try await store.forgetAudit(beyond: .max, before: year) == 200)
            #expect(try await store.forgetAudit(beyond: 500, before: Timestamp(milliseconds: 0)) == 500)
            let left = try await store.audit(limit: 10_000)
            #expect(left.count == 500 && left.first?.what == "1200" && left.last?.what == "701")
        }
    }

    @Test func entriesAreFoundByWhoAndService() async throws {
        try await withStore { store in
            for (who, service) in [("ada", "hello"), ("token ci", "hello"), ("local root", "other")] {
                _ = try await store.record(
                    AuditEntry(who: who, door: .api, action: "deploy", service: service, target: service))
            }
            #expect(try await store.audit(who: "ci").map(\.who) == ["token ci"])
            #expect(try await store.audit(who: "local root").count == 1)
            #expect(try await store.audit(service: ServiceName("hello")).map(\.who) == ["token ci", "ada"])
            let last = try #require(try await store.audit().last)
            #expect(try await store.audit(before: last.id + 1).map(\.who) == ["ada"])
        }
    }

    /// The release and its row are there together, or neither.
    @Test func aPushIsWrittenDownWithItsRelease() async throws {
        try await withStore { store in
            let service = try ServiceName("hello")
            try await store.add(
                RegisteredService(
                    name: service, source: .hosted, repository: "/x", createdAt: .now,
                    settingsPath: "kinto.json", provider: .generic, webhookSecret: "s", queue: .wait),
                branch: "main", credentials: nil)
            var new = NewRelease(
                target: Target(service: service), commit: nil, branch: "main", trigger: .push)
            new.by = "local git"
            new.audit = .trigger("local git", .hook, of: new.target, "push of main")
            let release = try await store.acceptRelease(new)
            #expect(release.by == "local git")
            #expect(try await store.release(new.target, release.number)?.by == "local git")
            let entry = try #require(try await store.audit().first)
            #expect((entry.who, entry.door, entry.what) == ("local git", .hook, "push of main, release 1"))
        }
    }

    private func withStore(_ body: (Store) async throws -> Void) async throws {
        try await TemporaryDirectory.with { try await body(Store(path: "\($0)/kinto.db")) }
    }
}
