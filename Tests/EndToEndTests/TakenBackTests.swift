// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing

/// A process that serves as one release after the other, and what becomes of those that it takes turns with.
@Suite(.timeLimit(.minutes(20)))
struct TakenBackTests {
    @Test func aRequestFromItsFirstTimeEndsBeforeItIsStopped() async throws {
        try await Server.with { server in
            let scene = try await Scene(server)
            try await scene.wait { try await scene.warm == [1] }
            // Release 3 is the process of release 1.
            try await scene.rollBack()
            let slow = try await scene.slow("one")
            for _ in 4...6 { try await scene.rollBack() }
            // As release 5 it got no request, so its drain is over at once, and the next release takes its place.
            try await scene.wait { try await scene.warm.contains(5) }
            let configured = scene.configure()
            // Room is made for it. If that did not wait for the request of release 3, the process would be gone by then.
            try await Task.sleep(for: .seconds(3))
            try scene.answer("one")
            #expect(try await slow.value.hasPrefix("release=1 "))
            #expect(try await configured.value == 0)
        }
    }

    /// - Parameter isFirst: the deploy of what was replaced ends before its own drain does.
    @Test(arguments: [true, false])
    func aReleaseThatIsReplacedWhileItsDeployDrainsStaysOnRecord(isFirst: Bool) async throws {
        try await Server.with { server in
            let scene = try await Scene(server)
            let (old, configured) = try await scene.drain()
            let (third, new) = (try await scene.process(), try await scene.slow("new"))
            try await scene.rollBack()
            #expect(try await scene.process().hasPrefix("release=2 "))
            // The deploy of release 3 waits for the first request, release 4 for the second.
            for name in isFirst ? ["old", "new"] : ["new", "old"] {
                try scene.answer(name)
                _ = try await (name == "old" ? old : new).value
                try await scene.wait {
                    try await scene.release(name == "old" ? 3 : 4)?["status"] as? String == "deployed"
                }
            }
            #expect(try await configured.value == 0)
            #expect(try await scene.warm == [3])
            try await scene.rollBack()
            #expect(try await scene.process() == third, "it was not kept")
            #expect(try await server.kinto("service", "remove", "hello", "--yes").status == 0)
            #expect(!scene.runs(third))
        }
    }

    @Test func aReleaseThatWasReplacedIsNotBegunAgainByTheNextServer() async throws {
        try await Server.with { server in
            let scene = try await Scene(server)
            let (old, configured) = try await scene.drain()
            let third = try await scene.process()
            try await scene.rollBack()
            try await scene.wait { try await scene.warm == [3] }
            server.end(with: SIGKILL)
            try await server.serve()
            #expect(try await scene.release(3)?["status"] as? String == "deployed")
            #expect(try await scene.release(3)?["live"] as? Bool == false)
            #expect(try await scene.release(4)?["live"] as? Bool == true)
            try scene.answer("old")
            _ = try await old.value
            _ = try? await configured.value
            #expect(try await scene.process() == scene.second)
            #expect(try await server.releases("hello").count == 4)
            #expect(try await scene.warm == [3])
            try await scene.rollBack()
            #expect(try await scene.process() == third)
        }
    }

    /// It does not wait for the requests of the release before.
    @Test func aSuspensionIsInForceAtOnce() async throws {
        try await Server.with { server in
            let scene = try await Scene(server)
            let (old, configured) = try await scene.drain()
            let third = try await scene.process()
            let suspended = Task { try await server.kinto("suspend", "hello").status }
            try await scene.wait { !scene.runs(third) }
            #expect(try await server.get().status == 503)
            try scene.answer("old")
            #expect(try await old.value.hasPrefix("release=2 "))
            #expect(try await suspended.value == 0)
            _ = try await configured.value
            #expect(server.runningServices().isEmpty)
        }
    }

    /// A server that starts drains what was replaced under the one before; somebody takes that back meanwhile.
    @Test func whatTheNextServerDrainsCanBeTakenBack() async throws {
        try await Server.with { server in
            let scene = try await Scene(server)
            let (old, configured) = try await scene.drain()
            server.end(with: SIGKILL)
            try await server.serve()
            _ = try? await configured.value
            try await scene.rollBack()
            #expect(try await scene.process() == scene.second)
            try scene.answer("old")
            _ = try await old.value
            try await scene.wait { try await scene.release(4)?["status"] as? String == "deployed" }
            for _ in 0..<10 {
                #expect(try await scene.process() == scene.second)
                try await Task.sleep(for: .milliseconds(100))
            }
        }
    }

    /// The one that comes back at once is the one before, whichever of them was drained first.
    @Test func ofTwoThatWereReplacedTheNewerIsKept() async throws {
        try await Server.with { server in
            let scene = try await Scene(server)
            try await scene.wait { try await scene.warm == [1] }
            let slow = try await scene.slow("old")
            // Release 3 is the process of release 1; it waits for the request of release 2.
            try await scene.rollBack()
            let first = try await scene.process()
            #expect(try await scene.configure().value == 0)
            #expect(try await scene.warm == [3])
            try scene.answer("old")
            _ = try await slow.value
            try await scene.wait { !scene.runs(scene.second) }
            #expect(try await scene.warm == [3])
            try await scene.rollBack()
            #expect(try await scene.process() == first)
        }
    }

    /// Its record alone says that it runs: an earlier version may have left it so.
    @Test func whatNobodyKeepsEndsWithItsService() async throws {
        try await Server.with { server in
            let scene = try await Scene(server)
            try await scene.wait { try await scene.warm == [1] }
            let change = "UPDATE release SET body = json_remove(body, '$.warmUntil') WHERE number = 1"
            let words =
                "import sqlite3, sys; d = sqlite3.connect(sys.argv[1], 30); d.execute(sys.argv[2]); d.commit()"
            let done = try await server.run(
                "/usr/bin/python3", ["-c", words, "\(server.home)/kinto.db", change])
            #expect(done.status == 0, "\(done.output)")
            #expect(try await scene.warm.isEmpty)
            #expect(scene.runs(scene.first))
            #expect(try await server.kinto("service", "remove", "hello", "--yes").status == 0)
            #expect(!scene.runs(scene.first))
        }
    }
}

/// A service with two releases, whose application answers some requests only when it is told to.
private struct Scene: Sendable {
    let server: Server
    /// What the processes of the first two releases answer.
    let first, second: String

    init(_ server: Server) async throws {
        try await server.setUp(
            #"{"start":"python3 server.py","probe":{"path":"/"},"rollout":{"drain":"3m","watch":"0s","warm":"10m"}}"#
        )
        try server.write(
            "server.py",
            Server.application.replacingOccurrences(
                of: "        self.rfile.read(",
                with: """
                            if self.path.startswith("/slow-"):
                                import time
                                name = "\(server.root)" + self.path
                                open(name, "w").close()
                                while not os.path.exists(name + ".answer"): time.sleep(0.02)
                            self.rfile.read(
                    """))
        try await server.push("one")
        first = try await Scene.process(of: server)
        try await server.push("two")
        second = try await Scene.process(of: server)
        self.server = server
    }

    private static func process(of server: Server) async throws -> String {
        String(decoding: try await server.get().body, as: UTF8.self)
    }

    /// `release=2 pid=123 …`: as the process was started, whatever it serves as now.
    func process() async throws -> String { try await Scene.process(of: server) }

    func runs(_ process: String) -> Bool {
        process.split(separator: " ").first { $0.hasPrefix("pid=") }.flatMap { Int32($0.dropFirst(4)) }
            .map { kill($0, 0) == 0 } ?? false
    }

    /// A request that has come to what is live, and is answered when ``answer(_:)`` says so.
    func slow(_ name: String) async throws -> Task<String, any Error> {
        let url = "http://127.0.0.1:\(server.proxy)/slow-\(name)"
        let task = Task {
            let answer = try await HTTPClient.send(
                .init("POST", url: url, headers: ["Host: hello.localhost"], timeout: 240_000))
            #expect(answer.status == 200)
            return String(decoding: answer.body, as: UTF8.self)
        }
        try await wait { FileManager.default.fileExists(atPath: "\(server.root)/slow-\(name)") }
        return task
    }

    func answer(_ name: String) throws {
        try "".write(toFile: "\(server.root)/slow-\(name).answer", atomically: true, encoding: .utf8)
    }

    func rollBack() async throws {
        let done = try await server.kinto("rollback", "hello", "--detach")
        #expect(done.status == 0, "\(done.output)")
    }

    /// Begins a release with another configuration; the command ends when it has.
    func configure() -> Task<Int32, any Error> {
        Task { try await server.kinto("config", "hello", "set", "GREETING=new").status }
    }

    /// Makes release 3 live, whose deploy waits for a request of release 2: until ``answer(_:)`` of "old".
    func drain() async throws -> (old: Task<String, any Error>, configured: Task<Int32, any Error>) {
        let old = try await slow("old")
        let configured = configure()
        try await wait { try await isLive(3) }
        return (old, configured)
    }

    func release(_ number: Int) async throws -> [String: Any]? {
        try await server.releases("hello").first { $0["number"] as? Int == number }
    }

    func isLive(_ number: Int) async throws -> Bool { try await release(number)?["live"] as? Bool == true }

    /// The releases that are kept running.
    var warm: [Int] {
        get async throws {
            let status = try await server.json("status", "--json") as? [String: Any]
            return (status?["services"] as? [[String: Any]])?.first?["warm"] as? [Int] ?? []
        }
    }

    func wait(_ condition: () async throws -> Bool) async throws { try await server.until(condition) }
}
