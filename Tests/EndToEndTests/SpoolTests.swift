// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Wire

/// The hook with the server down, or half way down.
@Suite(.serialized, .timeLimit(.minutes(20)))
struct SpoolTests {
    private func spooled(_ server: Server) throws -> [String] {
        try Files.list("\(server.home)/spool").filter { $0.hasSuffix(".trigger") }
    }

    private func commit(_ server: Server, _ number: Int) async throws {
        try server.write("note", "\(number)")
        try await server.git("add", "-A")
        try await server.git("commit", "-q", "-m", "\(number)")
    }

    /// - Parameter patience: seconds that the hooks wait for an answer.
    private func pushed(_ server: Server, patience: Int = 120) async throws -> Server.Result {
        try await server.run(
            "/usr/bin/git", ["-C", server.work, "push", "\(server.home)/repos/hello.git", "HEAD:main"],
            more: ["KINTO_HOOK_PATIENCE=\(patience)"])
    }

    /// Those with both words in their command line.
    private func processes(_ one: String, _ other: String) -> [Int32] {
        ((try? Files.list("/proc")) ?? []).compactMap { Int32($0) }.filter { pid in
            guard let line = try? Files.read("/proc/\(pid)/cmdline") else { return false }
            let words = line.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
            return words.contains(one) && words.contains(other)
        }
    }

    private func live(_ server: Server) async throws -> Int? {
        try await server.releases("hello").first { $0["live"] as? Bool == true }?["number"] as? Int
    }

    /// Scenario 35.
    @Test func pushesWhileTheServerIsDownAreDeployedOnceWhenItStarts() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            _ = server.stop()
            // A socket that nobody listens on is what a killed server leaves.
            try await server.shell(
                "python3 -c 'import socket,sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' \(server.home)/kinto.sock"
            )
            for number in 2...4 {
                try await commit(server, number)
                let clock = ContinuousClock()
                let started = clock.now
                let push = try await pushed(server)
                #expect(push.status == 0)
                #expect(
                    push.output.contains("the push is kept and is deployed when it starts"), "\(push.output)")
                // Two seconds are promised; the whole of git, on a machine with other work, is in this. Of two hooks
                // that wait for an answer it would be twice as long.
                #expect(clock.now - started < .seconds(120))
            }
            #expect(try spooled(server).count == 3)
            // What the killer of a server that had taken one but not yet removed it leaves: the same once more.
            try await server.shell("cd \(server.home)/spool; for f in *; do cp $f 0$f; done")
            try await server.serve()
            try await server.until { try await live(server) != 1 && spooled(server).isEmpty }
            try await server.until {
                try await server.releases("hello").allSatisfy { $0["finishedAt"] is String }
            }
            let releases = try await server.releases("hello")
            #expect(releases.count == 4, "each is one release: \(releases)")
            let tip = try await server.git("rev-parse", "HEAD").output.prefix(40)
            #expect(
                releases.first { $0["live"] as? Bool == true }?["commit"] as? String == String(tip))
        }
    }

    @Test func aPushToAServerThatIsStoppedIsTakenUpWhenItGoesOn() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            try await commit(server, 2)
            server.send(SIGSTOP)
            let push = try await pushed(server, patience: 5)
            #expect(push.status == 0)
            #expect(
                push.output.contains("the kinto server does not answer: the push is kept"), "\(push.output)")
            #expect(try spooled(server).count == 1)
            server.send(SIGCONT)
            // It has both, the request that waited in its socket and the entry: one release.
            try await server.until { try await live(server) == 2 && spooled(server).isEmpty }
            #expect(try await server.releases("hello").count == 2)
        }
    }

    /// At the moment of the request: it is accepted, or the hook keeps it, or both; and it is one release.
    @Test func aServerThatIsKilledAtTheMomentOfThePushLosesNothing() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            for (number, delay) in zip(2..., [0, 20, 60]) {
                try await commit(server, number)
                let push = Task { try await pushed(server) }
                for _ in 0..<500 where processes("post-receive", server.home).isEmpty {
                    try await Task.sleep(for: .milliseconds(2))
                }
                try await Task.sleep(for: .milliseconds(delay))
                server.send(SIGKILL)
                var status: Int32 = 0
                waitpid(server.pid, &status, 0)
                #expect(try await push.value.status == 0)
                try await server.serve()
                try await server.until { try await live(server) == number && spooled(server).isEmpty }
                #expect(try await server.releases("hello").count == number)
            }
        }
    }

    @Test func whatCannotBeTakenUpIsKeptAsideAndTold() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            let spool = "\(server.home)/spool"
            try Array("no fields".utf8).write(to: "\(spool)/1-garbage.trigger")
            try [UInt8]().write(to: "\(spool)/2-empty.trigger")
            try await server.shell("mkdir \(spool)/3-directory.trigger")
            var unknown = Fields()
            unknown.add("id", "x")
            unknown.add("service", "nosuch")
            try unknown.encoded().write(to: "\(spool)/4-unknown.trigger")
            // Each came without a rename, and this makes the server look.
            try await server.shell("touch \(spool)/.t && mv \(spool)/.t \(spool)/t && rm \(spool)/t")
            try await server.until { try spooled(server).isEmpty }
            let aside = try Files.list("\(spool)/bad").filter { $0.hasSuffix(".trigger") }.sorted()
            #expect(
                aside == ["1-garbage.trigger", "2-empty.trigger", "3-directory.trigger", "4-unknown.trigger"])
            #expect(try Files.read("\(spool)/bad/1-garbage.trigger") == Array("no fields".utf8))
            let why = String(decoding: try Files.read("\(spool)/bad/4-unknown.trigger.why"), as: UTF8.self)
            #expect(why == "there is no service 'nosuch'\n")
            #expect(try await server.kinto("doctor").output.contains("4 pushes could not be taken up"))
            #expect(try await server.kinto("status").output.contains("4 pushes that hooks left"))
        }
    }

    /// The directory goes away, and comes back with the next hook that needs it.
    @Test func aSpoolThatWasRemovedIsWatchedAgain() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            try await server.shell("rm -rf \(server.home)/spool")
            try await server.until { Files.isDirectory("\(server.home)/spool") }
            try await commit(server, 2)
            server.send(SIGSTOP)
            try await server.shell("rm -rf \(server.home)/spool")
            let push = try await pushed(server, patience: 5)
            #expect(push.output.contains("the push is kept"), "\(push.output)")
            server.send(SIGCONT)
            try await server.until { try await live(server) == 2 && spooled(server).isEmpty }
        }
    }

    /// A disk that is full, and one that is read-only: the push goes through and is told what to do.
    @Test func aSpoolThatCannotBeWrittenIsToldLoudly() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            _ = server.stop()
            for options in ["size=4k,nr_inodes=1", "ro"] {
                try Server.asRoot(
                    "mount", "-t", "tmpfs", "-o", "\(options),mode=0777", "tmpfs", "\(server.home)/spool")
                defer { _ = try? Server.asRoot("umount", "--lazy", "\(server.home)/spool") }
                try await commit(server, options.count)
                let push = try await pushed(server)
                #expect(push.status == 0)
                #expect(push.output.contains("the push could NOT be kept"), "\(push.output)")
                #expect(push.output.contains("kinto deploy hello"))
            }
            try await server.serve()
            #expect(try await server.kinto("deploy", "hello").output.contains("Release 2 is live"))
        }
    }

    /// Scenario 33, from the hook on: what git tells it of such a push.
    @Test func aPushOfTenThousandRefsIsOneDeploy() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            try await commit(server, 2)
            try await server.git("push", "-q", "\(server.home)/repos/hello.git", "HEAD:other")
            let tip = try await server.git("rev-parse", "HEAD").output.prefix(40)
            let none = String(repeating: "0", count: 40)
            let lines =
                (1...10_000).map { "\(none) \(tip) refs/heads/b\($0)" } + [
                    "\(none) \(tip) refs/heads/main", "\(none) \(tip) refs/tags/v1",
                    "\(tip) \(none) refs/heads/old",
                ]
            try server.write("updates", lines.joined(separator: "\n") + "\n")
            func hook(_ kind: String) async throws -> Server.Result {
                try await server.run(
                    "/bin/bash",
                    [
                        "-c",
                        #"cd "$1/repos/hello.git" && exec "$2/kinto-runtime" hook \#(kind) --home "$1" --service hello < "$0/updates""#,
                        server.work, server.home, server.bin,
                    ])
            }
            let before = try await hook("pre-receive")
            #expect(before.status == 0 && before.output.isEmpty, "\(before.output)")
            try await server.git(
                "--git-dir=\(server.home)/repos/hello.git", "update-ref", "refs/heads/main", "\(tip)")
            let after = try await hook("post-receive")
            #expect(after.output.contains("kinto: release 2 of hello/production"))
            #expect(
                after.output.contains("and 9982 other refs that are not deployed"),
                "\(after.output)")
            #expect(after.output.contains("Release 2 is live"), "\(after.output)")
            #expect(try await server.releases("hello").count == 2)
        }
    }

    /// Scenario 34.
    @Test func aClientThatIsKilledLosesNoPush() async throws {
        try await Server.with { server in
            try await server.setUp(
                #"{"start":"python3 server.py","probe":{"path":"/"},"build":{"command":"echo built; sleep 1"}}"#
            )
            try await commit(server, 1)
            let push = Task { try await pushed(server) }
            try await server.until { try await server.releases("hello").count == 1 }
            for pid in processes("push", "\(server.home)/repos/hello.git") { kill(pid, SIGKILL) }
            _ = try await push.value
            try await server.until { try await live(server) == 1 }
            // Whoever reads the hook's words has gone.
            try await commit(server, 2)
            let tip = try await server.git("rev-parse", "HEAD").output.prefix(40)
            try await server.git("push", "-q", "\(server.home)/repos/hello.git", "HEAD:other")
            try await server.shell(
                "echo \(String(repeating: "0", count: 40)) \(tip) refs/heads/main | \(server.bin)/kinto-runtime hook post-receive --home \(server.home) --service hello | head -c 1 > /dev/null; git push -q \(server.home)/repos/hello.git HEAD:main 2>/dev/null"
            )
            try await server.until {
                try await server.releases("hello").allSatisfy { $0["finishedAt"] is String }
            }
            let releases = try await server.releases("hello")
            #expect(try #require(releases.first { $0["live"] as? Bool == true }?["commit"] as? String) == tip)
        }
    }

    /// Scenario 36.
    @Test func theHooksEnvironmentReachesNoBuild() async throws {
        try await Server.with { server in
            try await server.setUp(
                #"{"start":"python3 server.py","probe":{"path":"/"},"build":{"command":"env | sort"}}"#)
            try await commit(server, 1)
            let push = try await server.run(
                "/bin/bash",
                [
                    "-c",
                    #"cd "$0" && LD_PRELOAD=/nonexistent/evil.so EVIL=1 GIT_DIR=.git git push -o 'a;b' -o '$(touch evil)' "$1/repos/hello.git" HEAD:main"#,
                    server.work, server.home,
                ])
            #expect(push.output.contains("Release 1 is live"), "\(push.output)")
            let log = try await server.kinto("logs", "hello", "--build").output
            for word in ["LD_PRELOAD", "EVIL", "GIT_", "a;b"] { #expect(!log.contains(word), "\(log)") }
            #expect(!FileManager.default.fileExists(atPath: "\(server.work)/evil"))
        }
    }
}

extension [UInt8] {
    fileprivate func write(to path: String) throws { try Data(self).write(to: URL(fileURLWithPath: path)) }
}
