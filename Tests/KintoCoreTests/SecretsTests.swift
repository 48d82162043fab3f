// SPDX-License-Identifier: Apache-2.0
import Foundation
import GRDB
import TestSupport
import Testing
import Wire

@testable import KintoCore

/// Secrets at rest.
struct SecretsTests {
    private static let canaries = ["c4nary-config", "c4nary-webhook", "c4nary-release"]

    @Test func nothingThatIsSecretStandsInAnyFileOfTheHome() async throws {
        try await TemporaryDirectory.with { home in
            let store = try Store(path: "\(home)/kinto.db")
            try await SecretsTests.fill(store)
            #expect(try SecretsTests.found(in: home) == [])
            // While it is open, and afterwards.
            let target = Target(service: try ServiceName("hello"))
            #expect(try await store.config(target) == ["TOKEN": "c4nary-config", "LEVEL": "plain"])
            let again = try Store(path: "\(home)/kinto.db")
            #expect(
                try await again.variables(target) == [
                    ConfigVariable(name: "LEVEL", value: "plain", isSecret: false),
                    ConfigVariable(name: "TOKEN", value: "c4nary-config", isSecret: true),
                ])
            #expect(try await again.service(target.service)?.webhookSecret == "c4nary-webhook")
            #expect(try await again.releases(target).first?.config == ["OLD": "c4nary-release"])
            #expect(try SecretsTests.found(in: home) == [])
            #expect(SecretsTests.mode("\(home)/secret.key") == 0o600)
        }
    }

    @Test func aSecretStaysOneWhenItIsSetAgain() async throws {
        try await TemporaryDirectory.with { home in
            let store = try Store(path: "\(home)/kinto.db")
            try await SecretsTests.fill(store)
            let target = Target(service: try ServiceName("hello"))
            _ = try await store.changeConfig(
                target, set: ["TOKEN": "another"], secret: false, unset: ["LEVEL"], release: nil)
            #expect(
                try await store.variables(target) == [
                    ConfigVariable(name: "TOKEN", value: "another", isSecret: true)
                ])
        }
    }

    @Test func aDatabaseOfAnOlderVersionIsSealedAndNoPlainCopyIsLeft() async throws {
        try await TemporaryDirectory.with { home in
            let path = "\(home)/kinto.db"
            try SecretsTests.makeOld(path)
            #expect(try SecretsTests.found(in: home).count == 3)
            let store = try Store(path: path)
            #expect(try SecretsTests.found(in: home) == [])
            let target = Target(service: try ServiceName("hello"))
            #expect(
                try await store.variables(target) == [
                    ConfigVariable(name: "TOKEN", value: "c4nary-config", isSecret: true)
                ])
            #expect(try await store.service(target.service)?.webhookSecret == "c4nary-webhook")
            #expect(try await store.releases(target).first?.config == ["OLD": "c4nary-release"])
        }
    }

    @Test func theServerRefusesAKeyThatIsMissingOpenOrWrong() async throws {
        try await TemporaryDirectory.with { home in
            let (path, key) = ("\(home)/kinto.db", "\(home)/secret.key")
            do {
                let store = try Store(path: path)
                try await SecretsTests.fill(store)
            }
            func code() -> String? {
                do {
                    _ = try Store(path: path)
                    return nil
                } catch let failure as Failure { return failure.code } catch { return "\(error)" }
            }
            let good = try Files.read(key)
            chmod(key, 0o640)
            #expect(code() == "secret-key-unusable")
            unlink(key)
            #expect(code() == "secret-key-missing")
            #expect(!Files.exists(key))
            try SecretKey.random().write(to: key)
            #expect(code() == "secret-key-wrong")
            try Files.replace(key, with: Array("not a key".utf8))
            #expect(code() == "secret-key-unusable")
            unlink(key)
            symlink("/dev/null", key)
            #expect(code() == "secret-key-unusable")
            unlink(key)
            try Files.replace(key, with: good)
            #expect(code() == nil)
        }
    }

    @Test func aDatabaseWithoutSecretsGetsANewKey() async throws {
        try await TemporaryDirectory.with { home in
            _ = try Store(path: "\(home)/kinto.db")
            unlink("\(home)/secret.key")
            let store = try Store(path: "\(home)/kinto.db")
            try await SecretsTests.fill(store)
            _ = try Store(path: "\(home)/kinto.db")
        }
    }

    @Test func theKeyCanBeReplacedWhileTheStoreIsInUse() async throws {
        try await TemporaryDirectory.with { home in
            let (path, key) = ("\(home)/kinto.db", "\(home)/secret.key")
            let store = try Store(path: path)
            try await SecretsTests.fill(store)
            let target = Target(service: try ServiceName("hello"))
            let before = try Files.read(key)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        for number in 0..<50 {
                            #expect(try await store.config(target)["TOKEN"] == "c4nary-config")
                            _ = try await store.changeConfig(
                                target, set: ["N": "\(number)"], secret: false, unset: [], release: nil)
                        }
                    }
                }
                group.addTask { for _ in 0..<3 { try await store.rotateKey() } }
                try await group.waitForAll()
            }
            #expect(try Files.read(key) != before)
            #expect(SecretsTests.mode(key) == 0o600)
            #expect(try await Store(path: path).config(target)["TOKEN"] == "c4nary-config")
            // Interrupted after the transaction: the new file had not taken the old one's place.
            let new = try Files.read(key)
            try Files.replace(key + ".new", with: new)
            try Files.replace(key, with: before)
            #expect(try await Store(path: path).config(target)["TOKEN"] == "c4nary-config")
            #expect(try Files.read(key) == new)
            // Interrupted before it: the new one fits nothing.
            try SecretKey.random().write(to: key + ".new")
            #expect(try await Store(path: path).config(target)["TOKEN"] == "c4nary-config")
        }
    }

    @Test func aSealedValueDoesNotOpenInAnotherPlace() throws {
        let box = SecretBox(.random())
        let sealed = try box.seal("value", for: "variable A of hello/production")
        #expect(try box.open(sealed, for: "variable A of hello/production") == "value")
        #expect(throws: Failure.self) { try box.open(sealed, for: "variable B of hello/production") }
        #expect(throws: Failure.self) { try box.open("value", for: "variable A of hello/production") }
        #expect(try box.seal("value", for: "a") != box.seal("value", for: "a"))
    }

    private static func mode(_ path: String) -> mode_t? {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode & 0o777 : nil
    }

    private static func fill(_ store: Store) async throws {
        let name = try ServiceName("hello")
        let target = Target(service: name)
        try await store.add(
            RegisteredService(
                name: name, source: .remote, repository: "https://example.com/a", createdAt: .now,
                webhookSecret: "c4nary-webhook"), branch: "main")
        _ = try await store.changeConfig(
            target, set: ["TOKEN": "c4nary-config"], secret: true, unset: [], release: nil)
        _ = try await store.changeConfig(
            target, set: ["LEVEL": "plain"], secret: false, unset: [], release: nil)
        var new = NewRelease(target: target, commit: nil, branch: "main", trigger: .manual)
        new.config = ["OLD": "c4nary-release"]
        let release = try await store.acceptRelease(new)
        try await store.update(release.id, step: "touched") { $0.subject = "x" }
    }

    /// As the version before wrote it, with values that were changed and removed.
    private static func makeOld(_ path: String) throws {
        let pool = try DatabasePool(path: path)
        try Schema.migrations.migrate(pool, upTo: "2")
        let body =
            #"{"branch":"main","trigger":"manual","createdAt":{"milliseconds":1},"config":{"OLD":"c4nary-release"}}"#
        try pool.write { database in
            try database.execute(
                sql: """
                    INSERT INTO service VALUES ('hello', 'remote', 'https://example.com/a', 1, 'c4nary-webhook');
                    INSERT INTO environment (service, name, branch) VALUES ('hello', 'production', 'main');
                    INSERT INTO config VALUES ('hello', 'production', 'GONE', 'c4nary-config', 1);
                    DELETE FROM config;
                    INSERT INTO config VALUES ('hello', 'production', 'TOKEN', 'c4nary-config', 1);
                    """)
            try database.execute(
                sql: """
                    INSERT INTO release (service, environment, number, status, body)
                    VALUES ('hello', 'production', 1, 'deployed', ?)
                    """, arguments: [body])
        }
        try pool.close()
    }

    private static func found(in home: String) throws -> [String] {
        var found: Set<String> = []
        for case let name as String in FileManager.default.enumerator(atPath: home) ?? .init() {
            guard let data = FileManager.default.contents(atPath: "\(home)/\(name)") else { continue }
            for canary in canaries
            where data.firstRange(of: Data(canary.utf8)) != nil
                || data.firstRange(of: Data(canary.utf8).base64EncodedData().dropLast(4)) != nil
            {
                found.insert(canary)
            }
        }
        return found.sorted()
    }
}
