// SPDX-License-Identifier: Apache-2.0
import Foundation
import GRDB
import TestSupport
import Testing
import Wire

@testable import KintoCore

/// What the store tells of changes.
@Suite(.timeLimit(.minutes(20)))
struct EventTests {
    private func target(_ store: Store) async throws -> Target {
        let name = try ServiceName("hello")
        try await store.add(
            RegisteredService(
                name: name, source: .hosted, repository: "/nowhere", createdAt: .now,
                webhookSecret: "secret of some length"), branch: "main")
        return Target(service: name)
    }

    private func accept(_ store: Store, _ target: Target) async throws -> Release {
        try await store.acceptRelease(
            NewRelease(target: target, commit: nil, branch: "main", trigger: .manual))
    }

    @Test func eachChangeIsToldOnceAlsoByTheNextServer() async throws {
        try await TemporaryDirectory.with { directory in
            let path = "\(directory)/kinto.db"
            var store: Store? = try Store(path: path)
            let target = try await target(try #require(store))
            let release = try await accept(try #require(store), target)
            var changes = try #require(store).changes().makeAsyncIterator()
            try await store?.update(release.id) {
                $0.status = .deploying
                $0.stage = .fetch
            }
            await changes.next()
            // What readers are not told of is no event.
            try await store?.update(release.id) { $0.subject = "words" }
            try await store?.update(target) { $0.paused = true }
            try await store?.update(release.id) { $0.status = .failed }
            let told = try #require(try await store?.events(after: 0))
            #expect(told.isWhole)
            #expect(
                told.events.map(\.kind) == ["environment", "release", "release", "environment", "release"])
            #expect(told.events.last?.body.contains(#""status":"failed","was":"deploying""#) == true)
            #expect(told.next == told.events.last?.id)
            store = nil
            let again = try await Store(path: path).events(after: told.events[1].id)
            #expect(again.events == Array(told.events[2...]))
        }
    }

    @Test func whoIsTooLateOrComesFromAnotherStoreIsToldSo() async throws {
        try await TemporaryDirectory.with { directory in
            let store = try Store(path: "\(directory)/kinto.db")
            let target = try await target(store)
            _ = try await accept(store, target)
            #expect(try await store.events(after: 1000).isWhole == false)
            // As many as are kept, and some more.
            try await store.write { database in
                try database.execute(
                    sql: """
                        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10600)
                        INSERT INTO event (at, kind, service, body) SELECT i, 'delivery', 'hello', '{}' FROM n
                        """)
            }
            let late = try await store.events(after: 5)
            #expect(!late.isWhole && late.events.isEmpty)
            let last = try await store.lastEvent()
            #expect(late.next == last)
            #expect(try await store.events(after: last - 9000, limit: 100_000).events.count == 9000)
            let count = try await store.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM event") }
            #expect((10_000...10_250).contains(count ?? 0))
        }
    }
}
