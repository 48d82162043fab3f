// SPDX-License-Identifier: Apache-2.0
import Foundation
import GRDB
import TestSupport
import Testing
import Wire

@testable import KintoCore

/// What the database must be like to be used.
@Suite(.timeLimit(.minutes(20)))
struct StoreOpeningTests {
    @Test("Scenario 13: a database of the first schema is migrated with all that it holds")
    func aDatabaseOfTheFirstSchemaIsMigratedWithAllThatItHolds() async throws {
        try await TemporaryDirectory.with { directory in
            let path = "\(directory)/kinto.db"
            let old = try DatabaseQueue(path: path)
            try Schema.migrations.migrate(old, upTo: "1")
            try await old.write { database in
                try database.execute(
                    sql: """
                        INSERT INTO service VALUES ('hello', 'hosted', '/x', 1, 's');
                        INSERT INTO environment (service, name, branch, nextNumber) VALUES ('hello', 'production', 'main', 8);
                        """)
            }
            try old.close()
            let store = try Store(path: path, signs: ["repos/hello.git"])
            #expect(try await store.services().map(\.name.description) == ["hello"])
            let accepted = try await store.acceptRelease(
                NewRelease(
                    target: Target(service: try ServiceName("hello")), commit: nil, branch: "main",
                    trigger: .manual))
            #expect(accepted.number == 8)
        }
    }

    @Test("Scenario 13: a database of a newer version is refused, and not a byte changed")
    func aDatabaseOfANewerVersionIsRefusedAsItIs() async throws {
        try await TemporaryDirectory.with { directory in
            let path = "\(directory)/kinto.db"
            _ = try Store(path: path)
            try await DatabaseQueue(path: path).write {
                try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('99')")
            }
            let before = try tables(path)
            refused("store-newer") { try Store(path: path) }
            #expect(try tables(path) == before)
        }
    }

    @Test("Scenario 12: a database that is gone or empty is not made anew in a home that was used")
    func aDatabaseThatIsGoneOrEmptyIsNotMadeAnewInAHomeThatWasUsed() async throws {
        try await TemporaryDirectory.with { directory in
            let path = "\(directory)/kinto.db"
            refused("store-missing") { try Store(path: path, signs: ["token"]) }
            #expect(!FileManager.default.fileExists(atPath: path))

            try Files.replace(path, with: [])
            refused("store-missing") { try Store(path: path, signs: ["token"]) }
            #expect(try Files.read(path).isEmpty)

            // A database that somebody made by opening it.
            try await DatabaseQueue(path: path).write { try $0.execute(sql: "CREATE TABLE other (x)") }
            refused("store-missing") { try Store(path: path, signs: ["token"]) }

            // The log of one that is gone.
            try Files.removeTree(path)
            try Files.replace("\(path)-wal", with: Array("log".utf8))
            refused("store-missing") { try Store(path: path) }
            try Files.removeTree("\(path)-wal")
            _ = try Store(path: path)
        }
    }

    @Test("Scenario 12: a database that is cut or overwritten is refused as it is")
    func aDatabaseThatIsCutOrOverwrittenIsRefusedAsItIs() async throws {
        try await TemporaryDirectory.with { directory in
            let path = "\(directory)/kinto.db"
            let good = try await filled(path)
            var cases: [[UInt8]] = [
                Array(good.prefix(100)), Array(good.prefix(good.count / 2)),
                Array(repeating: 0x5A, count: good.count),
            ]
            for page in stride(from: 1, to: good.count / 4096, by: 5) {
                var bytes = good
                for index in 0..<4096 { bytes[page * 4096 + index] = UInt8.random(in: 0...255) }
                cases.append(bytes)
            }
            for bytes in cases {
                try Files.replace(path, with: bytes)
                for suffix in ["-wal", "-shm"] { try Files.removeTree(path + suffix) }
                refused("store-damaged") { try Store(path: path, signs: ["token"]) }
                #expect(try Files.read(path) == bytes)
            }
            try Files.replace(path, with: good)
            for suffix in ["-wal", "-shm"] { try Files.removeTree(path + suffix) }
            _ = try Store(path: path, signs: ["token"])
        }
    }

    @Test func aDatabaseThatAnotherProgramLocksIsRefused() async throws {
        try await TemporaryDirectory.with { directory in
            let path = "\(directory)/kinto.db"
            _ = try Store(path: path)
            let other = try StoreOpeningTests.other(path)
            try other.inDatabase { try $0.execute(sql: "BEGIN EXCLUSIVE") }
            refused("store-locked") { try Store(path: path, signs: ["token"]) }
            try other.inDatabase { try $0.execute(sql: "ROLLBACK") }
            _ = try Store(path: path, signs: ["token"])
        }
    }

    @Test("Scenario 11: a door says no in time while the database is locked, and a step waits")
    func aLockThatIsHeldAWhileLosesNoRecord() async throws {
        try await TemporaryDirectory.with { directory in
            let path = "\(directory)/kinto.db"
            let store = try Store(path: path)
            let target = Target(service: try ServiceName("hello"))
            try await register(store, target.service)
            let new = NewRelease(target: target, commit: nil, branch: "main", trigger: .manual)
            let first = try await store.acceptRelease(new)

            let other = try StoreOpeningTests.other(path)
            try other.inDatabase { try $0.execute(sql: "BEGIN IMMEDIATE") }
            let step = Task { try await store.update(first.id, step: "claimed") { $0.status = .deploying } }
            await refusedLater("store-locked") { try await store.acceptRelease(new) }
            #expect(try await store.releases(target).map(\.status) == [.queued])
            try other.inDatabase { try $0.execute(sql: "ROLLBACK") }
            #expect(try await step.value.status == .deploying)
            #expect(try await store.acceptRelease(new).number == 2)
        }
    }

    @Test func nothingIsAcceptedIntoADatabaseThatWasRemovedUnderTheServer() async throws {
        try await TemporaryDirectory.with { directory in
            let path = "\(directory)/kinto.db"
            let store = try Store(path: path)
            let target = Target(service: try ServiceName("hello"))
            try await register(store, target.service)
            rename(path, "\(path).away")
            let new = NewRelease(target: target, commit: nil, branch: "main", trigger: .manual)
            await refusedLater("store-missing") { try await store.acceptRelease(new) }
            rename("\(path).away", path)
            #expect(try await store.acceptRelease(new).number == 1)
        }
    }

    /// Another program's connection, which may keep a transaction open.
    private static func other(_ path: String) throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.allowsUnsafeTransactions = true
        return try DatabaseQueue(path: path, configuration: configuration)
    }

    private func register(_ store: Store, _ name: ServiceName) async throws {
        try await store.add(
            RegisteredService(
                name: name, source: .hosted, repository: "/x", createdAt: .now, webhookSecret: "s"),
            branch: "main")
    }

    /// A database with enough in it to have pages of all kinds, in one file.
    private func filled(_ path: String) async throws -> [UInt8] {
        let store = try Store(path: path)
        let target = Target(service: try ServiceName("hello"))
        try await register(store, target.service)
        for _ in 0..<40 {
            let release = try await store.acceptRelease(
                NewRelease(target: target, commit: nil, branch: "main", trigger: .manual))
            for step in 0..<20 { try await store.update(release.id, step: "step \(step)") { _ in } }
        }
        let copy = "\(path).copy"
        try await DatabaseQueue(path: path).writeWithoutTransaction {
            try $0.execute(sql: "VACUUM INTO ?", arguments: [copy])
        }
        return try Files.read(copy)
    }

    private func tables(_ path: String) throws -> [String] {
        try DatabaseQueue(path: path).read {
            try String.fetchAll($0, sql: "SELECT name || coalesce(sql, '') FROM sqlite_master ORDER BY name")
        }
    }
}

/// Expects a `Failure` of a code.
private func refused<T>(
    _ code: String, sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> T
) {
    let failure = #expect(throws: Failure.self, sourceLocation: sourceLocation) { _ = try body() }
    #expect(failure?.code == code, "\(failure?.description ?? "")", sourceLocation: sourceLocation)
}

private func refusedLater<T>(
    _ code: String, sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> T
) async {
    let failure = await #expect(throws: Failure.self, sourceLocation: sourceLocation) { _ = try await body() }
    #expect(failure?.code == code, "\(failure?.description ?? "")", sourceLocation: sourceLocation)
}
