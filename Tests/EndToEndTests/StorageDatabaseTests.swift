// SPDX-License-Identifier: Apache-2.0
import Crypto
import Foundation
import TestSupport
import Testing
import Wire

/// A database that is not as it should be: the server refuses, and what serves goes on.
@Suite(.serialized, .timeLimit(.minutes(20)))
struct StorageDatabaseTests {
    @Test("Scenarios 12 and 13: a server without a good database refuses, and what serves goes on")
    func aServerWithoutAGoodDatabaseRefusesAndWhatServesGoesOn() async throws {
        try await Server.with { server in
            try await server.setUp()
            #expect(try await server.push("first").output.contains("Release 1 is live"))
            let before = try await server.body()
            let database = "\(server.home)/kinto.db"
            _ = server.stop()
            // In one file, for what follows.
            try await server.python(
                "import sqlite3; c = sqlite3.connect('\(database)'); c.execute('PRAGMA wal_checkpoint(TRUNCATE)'); c.close()"
            )
            let good = try Files.read(database)
            let visitors = Visitors(server, count: 2)

            func refuses(_ code: String, _ exit: Int32 = 65) async throws {
                let there = try? Files.read(database)
                let tried = try await server.refusedServe()
                #expect(tried.status == exit, "\(code): \(tried.output)")
                #expect(tried.output.contains("(\(code))"), "\(tried.output)")
                #expect(tried.output.contains(database), "\(tried.output)")
                #expect((try? Files.read(database)) == there, "\(code)")
                #expect(try await server.body() == before)
            }
            unlink(database)
            try await refuses("store-missing")
            try Files.replace(database, with: [])
            try await refuses("store-missing")
            try Files.replace(database, with: good.prefix(good.count / 2))
            try await refuses("store-damaged")
            var garbage = good
            for index in 4096..<8192 { garbage[index] = UInt8.random(in: 0...255) }
            try Files.replace(database, with: garbage)
            try await refuses("store-damaged")
            try Files.replace(database, with: good)
            try await server.python(
                """
                import sqlite3
                c = sqlite3.connect('\(database)'); c.execute("INSERT INTO grdb_migrations VALUES ('99-newer')")
                c.commit(); c.execute('PRAGMA wal_checkpoint(TRUNCATE)')
                """)
            try await refuses("store-newer")

            try Files.replace(database, with: good)
            let locker = try await server.locker("BEGIN EXCLUSIVE")
            try await refuses("store-locked", 75)
            #expect(
                try await server.refusedServe().output.contains("python3 (pid \(locker.processIdentifier))"))
            await server.end(locker)

            try await server.serve()
            #expect(try await server.body() == before)
            // Taken away under the server: told, and nothing is accepted that would be lost.
            rename(database, "\(database).away")
            #expect(try await server.kinto("doctor").output.contains(" !     database: "))
            #expect(try await server.kinto("deploy", "hello").status == 69)
            rename("\(database).away", database)
            #expect(try await server.push("next").output.contains("Release 2 is live"))
            let tally = await visitors.end()
            #expect(tally.failures.isEmpty, "\(tally.failures.prefix(3))")
        }
    }

    @Test("Scenario 11: a lock held for half a minute in the middle of a deploy loses no state")
    func aLockHeldForHalfAMinuteLosesNoState() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            let secret = server.webhookSecret
            try server.write(
                "kinto.json",
                #"{"start":"python3 server.py","probe":{"path":"/"},"build":{"command":"touch \#(server.root)/building; until [ -e \#(server.root)/go ]; do sleep 0.05; done"}}"#
            )
            let visitors = Visitors(server, count: 2)
            async let push = server.push("while it is locked")
            try await server.until { FileManager.default.fileExists(atPath: "\(server.root)/building") }

            let locker = try await server.locker("BEGIN IMMEDIATE")
            let since = ContinuousClock.now
            try Files.replace("\(server.root)/go", with: [])
            // A delivery that cannot be stored is refused while the lock is held, and taken when it comes again.
            let refused = try await server.deliver("one", secret: secret)
            #expect(refused.status == 503, "\(refused.head)")
            #expect(refused.head.contains("retry-after:"))

            try await Task.sleep(until: since + .seconds(30))
            #expect(try await server.releases("hello").first?["status"] as? String == "deploying")
            await server.end(locker)

            #expect(try await push.output.contains("Release 2 is live"))
            // Of what is live nothing would come.
            try await server.git("commit", "-q", "--allow-empty", "-m", "third")
            try await server.git("push", "-q", "-o", "skip", "\(server.home)/repos/hello.git", "HEAD:main")
            #expect(try await server.deliver("one", secret: secret).status == 202)
            try await server.until {
                try await server.releases("hello").first?["status"] as? String == "deployed"
            }
            #expect(try await server.releases("hello").map { $0["number"] as? Int } == [3, 2, 1])
            let tally = await visitors.end()
            #expect(tally.failures.isEmpty, "\(tally.failures.prefix(3))")
        }
    }
}

extension Server {
    /// `kinto serve` of this home, which is to refuse.
    func refusedServe() async throws -> Result {
        try await Server.command([
            "serve", "--home", home, "--listen", "127.0.0.1:\(listen)", "--proxy-listen",
            "127.0.0.1:\(proxy)",
        ])
    }

    @discardableResult
    func python(_ text: String) async throws -> String {
        let result = try await run("/usr/bin/env", ["python3", "-c", text])
        guard result.status == 0 else { throw Trouble(result.output) }
        return result.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// A push of `main` as GitHub tells it: the answer's status, and all of it as text, in lower case.
    func deliver(_ identifier: String, secret: String) async throws -> (status: Int, head: String) {
        let commit = try await git("rev-parse", "HEAD").output.trimmingCharacters(in: .whitespacesAndNewlines)
        let body = #"{"ref":"refs/heads/main","before":"\#(commit)","after":"\#(commit)","deleted":false}"#
        let digest = HMAC<SHA256>.authenticationCode(
            for: Data(body.utf8), using: SymmetricKey(data: Data(secret.utf8)))
        let answer = try await run(
            "/usr/bin/curl",
            [
                "-si", "--max-time", "180", "-H", "Content-Type: application/json", "-H",
                "X-GitHub-Event: push",
                "-H", "X-GitHub-Delivery: \(identifier)", "-H",
                "X-Hub-Signature-256: sha256=\(digest.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined())",
                "-d", body, "http://127.0.0.1:\(listen)/hooks/hello",
            ])
        return (Int(answer.output.dropFirst(9).prefix(3)) ?? 0, answer.output.lowercased())
    }

    /// A program that holds a lock on the database until it is ended.
    func locker(_ statement: String) async throws -> Process {
        let mark = "\(root)/locked-\(UInt32.random(in: 0 ... .max))"
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "python3", "-c",
            """
            import sqlite3, time
            c = sqlite3.connect('\(home)/kinto.db', isolation_level=None, timeout=120)
            c.execute('\(statement)')
            open('\(mark)', 'w').close()
            time.sleep(3600)
            """,
        ]
        try process.run()
        try await until { FileManager.default.fileExists(atPath: mark) }
        return process
    }

    func end(_ process: Process) async {
        kill(process.processIdentifier, SIGKILL)
        await onThread { process.waitUntilExit() }
    }
}
