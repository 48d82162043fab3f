// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// Hooks as git runs them: what is pushed in one go, where, and by whom.
@Suite(.serialized, .timeLimit(.minutes(20)))
struct HookPlaceTests {
    /// Stands in for the hook, notes when it begins, when its first words come and what it left of its input, and does
    /// what the real one does.
    private static func timed(_ server: Server) -> String {
        """
        #!/bin/bash
        exec 3<&0
        date +%s%N > \(server.root)/began
        '\(server.bin)/kinto-runtime' hook post-receive --home '\(server.home)' --service hello <&3 > \(server.root)/said &
        tail -f --pid=$! \(server.root)/said 2>/dev/null | { read -r line; date +%s%N > \(server.root)/first; cat > /dev/null; } &
        wait %1
        wc -c <&3 > \(server.root)/rest
        cat \(server.root)/said
        """
    }

    private func number(_ server: Server, _ name: String) throws -> Int {
        let text = try String(contentsOfFile: "\(server.root)/\(name)", encoding: .utf8)
        return try #require(Int(text.trimmingCharacters(in: .whitespacesAndNewlines)))
    }

    /// Scenario 33: a branch, another one, a tag, a branch that is deleted, and ten thousand more in one push.
    @Test func onePushOfTenThousandRefsIsOneDeploy() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first", branch: "old")
            try await server.push("second")
            try server.write("note", "3")
            try await server.git("add", "-A")
            try await server.git("commit", "-q", "-m", "third")
            try await server.git("tag", "v1")
            try await server.shell(
                "cd \(server.work); for i in $(seq 10000); do echo create refs/heads/b$i HEAD; done | git update-ref --stdin"
            )
            let repository = "\(server.home)/repos/hello.git"
            let hook = "\(repository)/hooks/post-receive"
            let own = try String(contentsOfFile: hook, encoding: .utf8)
            // Still kinto's own.
            #expect(own.contains("hook post-receive"))
            try Self.timed(server).write(toFile: hook, atomically: true, encoding: .utf8)
            try await server.shell("chmod +x '\(hook)'; touch \(server.root)/said")

            let push = try await server.git(
                "push", repository, "HEAD:main", "HEAD:other", "v1", ":old", "refs/heads/b*:refs/heads/b*")
            #expect(push.status == 0)
            let said = try String(contentsOfFile: "\(server.root)/said", encoding: .utf8)
            #expect(said.hasPrefix("-----> kinto: release 2 of hello/production\n"), "\(said.prefix(300))")
            #expect(said.contains("other refs that are not deployed"), "\(said.prefix(3000))")
            #expect(said.contains("Release 2 is live"), "\(said.suffix(300))")
            #expect(try number(server, "rest") == 0)
            // A second is promised; this machine may have other work. The whole takes longer with so many.
            let took = try number(server, "first") - number(server, "began")
            print("scenario 33: the release's number after \(took / 1_000_000) ms")
            #expect(took < 60_000_000_000)
            let releases = try await server.releases("hello")
            #expect(releases.count == 2)
            let tip = try await server.git("rev-parse", "HEAD").output.prefix(40)
            #expect(releases.first?["commit"] as? String == String(tip))
            #expect(try await server.body().contains("release=2 "))
        }
    }

    /// Scenario 37.
    @Test(arguments: ["with space", "quote'd \"twice\"", "ü-日本", "line\nbreak", "$(touch evil); `x`", "-q"])
    func aRepositoryMayBeAnywhere(name: String) async throws {
        try await Server.with { server in
            try await server.git("init", "-q", "-b", "main")
            try server.write("server.py", Server.application)
            try server.write("kinto.json", #"{"start":"python3 server.py","probe":{"path":"/"}}"#)
            try await server.git("add", "-A")
            try await server.git("commit", "-q", "-m", "first")
            let path = "\(server.root)/\(name)/repository.git"
            try FileManager.default.createDirectory(
                atPath: "\(server.root)/\(name)", withIntermediateDirectories: true)
            try await server.git("init", "-q", "--bare", "-b", "main", path)
            let added = try await server.kinto("service", "add", "hello", "--repo", path)
            #expect(added.status == 0, "\(added.output)")
            let push = try await server.git("push", path, "HEAD:main")
            #expect(push.output.contains("Release 1 is live"), "\(push.output)")
            #expect(try await server.body().contains("release=1 "))
            #expect(!FileManager.default.fileExists(atPath: "\(path)/evil"))
            #expect(try await server.kinto("service", "remove", "hello", "--yes").status == 0)
            #expect(!FileManager.default.fileExists(atPath: "\(path)/hooks/post-receive"))
        }
    }

    /// Scenario 36: whoever may not reach the server may not trigger it, and is told what to do.
    @Test func aHookOfAnotherUserReachesNothing() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            try server.write("note", "2")
            try await server.git("add", "-A")
            try await server.git("commit", "-q", "-m", "second")
            let commit = try await server.git("rev-parse", "HEAD").output.prefix(40)
            try await server.shell("cp '\(server.bin)/kinto-runtime' \(server.root)/hook")
            let none = String(repeating: "0", count: 40)
            let hook = try await server.run(
                "/bin/bash",
                [
                    "-c",
                    "echo '\(none) \(commit) refs/heads/main' | setpriv --reuid=65534 --regid=65534 --clear-groups '\(server.root)/hook' hook post-receive --home '\(server.home)' --service hello",
                ])
            #expect(hook.status == 0, "\(hook.output)")
            #expect(hook.output.contains("the push could NOT be kept"), "\(hook.output)")
            #expect(hook.output.contains("kinto deploy hello"), "\(hook.output)")
            #expect(try await server.releases("hello").count == 1)
            #expect(try await server.kinto("deploy", "hello", "--force").status == 0)
        }
    }
}
