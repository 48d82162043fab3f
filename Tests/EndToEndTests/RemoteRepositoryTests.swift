// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing
import Wire

/// Private repositories over a real sshd and a real https server.
@Suite(.timeLimit(.minutes(20)))
struct RemoteRepositoryTests {
    private static let settings =
        #"{"start":"python3 server.py","probe":{"path":"/"},"rollout":{"drain":"1s","warm":"0s","watch":"0s"}}"#

    /// A work tree with a commit, and a bare copy of it to fetch from.
    private func remote(_ server: Server) async throws -> String {
        try await server.setUp(Self.settings)
        try await server.push("first")
        try await server.kinto("service", "remove", "hello", "--yes")
        try FileManager.default.createDirectory(
            atPath: "\(server.root)/git", withIntermediateDirectories: true)
        try await server.git("clone", "-q", "--bare", server.work, "\(server.root)/git/remote.git")
        return "\(server.root)/git/remote.git"
    }

    @Test func sshWithADeployKeyAndAPinnedHost() async throws {
        try await Server.with { server in
            let path = try await remote(server)
            let place = "\(server.root)/ssh"
            try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
            let ssh = try SSHServer(place)
            defer { ssh.stop() }
            let added = try await server.kinto(
                "service", "add", "hello", "--repo", "ssh://\(ssh.user)@127.0.0.1:\(ssh.port)\(path)")
            #expect(added.status == 0)
            // Its key is new and nobody knows it, but the host is known from now on.
            #expect(added.output.contains("is trusted from now on: \(ssh.fingerprint)"), "\(added.output)")
            #expect(added.output.contains("the repository cannot be read yet"), "\(added.output)")
            #expect(try await server.kinto("service", "check", "hello").status == 1)
            let key = try #require(
                added.output.split(separator: "\n").first { $0.contains("ssh-ed25519 ") }.map {
                    $0.trimmingCharacters(in: .whitespaces)
                })
            #expect(key.hasSuffix(" kinto-hello"))
            try ssh.authorize(key)
            let check = try await server.kinto("service", "check", "hello")
            #expect(check.status == 0 && check.output.contains("The branch is at "), "\(check.output)")
            let deploy = try await server.kinto("deploy", "hello")
            #expect(deploy.status == 0 && deploy.output.contains("is live"), "\(deploy.output)")
            #expect(try await server.get().status == 200)
            try await submoduleOverSSH(server, ssh)
            // The private half stands nowhere in plain: not in the database, not in a file.
            let found = try await server.run(
                "/bin/grep", ["-rlsE", "OPENSSH PRIVATE KEY|openssh-key-v1", server.home])
            #expect(found.output.isEmpty, "\(found.output)")
            // Another host in its place is not spoken to.
            try (String(contentsOfFile: "\(server.home)/known_hosts", encoding: .utf8)).replacing(
                "AAAAC3NzaC1lZDI1NTE5AAAAI", with: "AAAAC3NzaC1lZDI1NTE5AAAAIA"
            ).write(toFile: "\(server.home)/known_hosts", atomically: true, encoding: .utf8)
            let other = try SSHServer.makeKey("other", place)
            try "[127.0.0.1]:\(ssh.port) \(other)\n".write(
                toFile: "\(server.home)/known_hosts", atomically: true, encoding: .utf8)
            let changed = try await server.kinto("service", "check", "hello")
            #expect(
                changed.status == 1 && changed.output.contains("someone stands in between"),
                "\(changed.output)")
            #expect(!changed.output.contains("trusted from now on"))
        }
    }

    /// A repository NAME.git beside `remote.git`, with one commit that has files and submodules.
    private func module(
        _ server: Server, _ name: String, _ files: [String: String], _ links: [String: String] = [:]
    ) async throws -> String {
        let work = "\(server.root)/\(name)"
        try FileManager.default.createDirectory(atPath: work, withIntermediateDirectories: true)
        let git = { (words: [String]) in
            let done = try await server.run("/usr/bin/git", ["-C", work] + words)
            try #require(done.status == 0, "\(words) \(done.output)")
            return done.output.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        _ = try await git(["init", "-q", "-b", "main"])
        for (path, text) in files {
            try text.write(toFile: "\(work)/\(path)", atomically: true, encoding: .utf8)
        }
        _ = try await git(["add", "-A"])
        for (path, commit) in links {
            _ = try await git(["update-index", "--add", "--cacheinfo", "160000,\(commit),\(path)"])
        }
        _ = try await git(["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "-m", name])
        _ = try await git(["clone", "-q", "--bare", work, "\(server.root)/git/\(name).git"])
        return try await git(["rev-parse", "HEAD"])
    }

    private func list(_ entries: [(path: String, url: String)]) -> String {
        entries.map { "[submodule \"\($0.path)\"]\n\tpath = \($0.path)\n\turl = \($0.url)\n" }.joined()
    }

    /// Replaces what the remote repository has: submodules at `links`, and settings that build with them.
    private func change(
        _ server: Server, _ urls: [(path: String, url: String)], _ links: [String: String],
        wants: Bool = true,
        build: String
    ) async throws {
        var settings = try #require(
            try JSONSerialization.jsonObject(with: Data(Self.settings.utf8)) as? [String: Any])
        settings["build"] = ["command": build]
        if wants { settings["git"] = ["submodules": true] }
        try server.write(
            "kinto.json",
            String(decoding: try JSONSerialization.data(withJSONObject: settings), as: UTF8.self))
        try server.write(".gitmodules", list(urls))
        try await server.git("add", "-A")
        for (path, commit) in links {
            try await server.git("update-index", "--add", "--cacheinfo", "160000,\(commit),\(path)")
        }
        try await server.git("commit", "-q", "-m", "Change")
        let pushed = try await server.git("push", "-q", "-f", "\(server.root)/git/remote.git", "HEAD:main")
        try #require(pushed.status == 0, "\(pushed.output)")
    }

    /// Goes on where the service is fetched by ssh.
    private func submoduleOverSSH(_ server: Server, _ ssh: SSHServer) async throws {
        let lib = try await module(server, "lib", ["lib.txt": "lib"])
        try await change(server, [("lib", "../lib.git")], ["lib": lib], build: "grep lib lib/lib.txt")
        let with = try await server.kinto("deploy", "hello")
        #expect(with.status == 0 && with.output.contains("is live"), "\(with.output)")
        // Another port is another host, to which the key does not go.
        let other = "ssh://\(ssh.user)@127.0.0.1:22/x.git"
        try await change(server, [("lib", other)], ["lib": lib], build: "true")
        let refused = try await server.kinto("deploy", "hello")
        #expect(refused.status == 1 && refused.output.contains("is reached by ssh"), "\(refused.output)")
    }

    /// Goes on where the service is fetched from an https server.
    private func withSubmodules(_ server: Server, _ https: HTTPSGitServer) async throws {
        let inner = try await module(server, "inner", ["inner.txt": "inner"])
        let lib = try await module(
            server, "lib", ["lib.txt": "lib", ".gitmodules": list([("deep/inner", "../inner.git")])],
            ["deep/inner": inner])
        let test = "test -z \"$(ls lib)\""
        try await change(server, [("lib", "../lib.git")], ["lib": lib], wants: false, build: test)
        let without = try await server.kinto("deploy", "hello")
        #expect(
            without.status == 0 && without.output.contains("Submodules are not fetched"), "\(without.output)")
        #expect(without.output.contains(#""git": { "submodules": true }"#))

        let both = "grep lib lib/lib.txt && grep inner lib/deep/inner/inner.txt && grep inner own/inner.txt"
        let own = "https://localhost:\(https.port)/inner.git"
        try await change(
            server, [("lib", "../lib.git"), ("own", own)], ["lib": lib, "own": inner], build: both)
        let with = try await server.kinto("deploy", "hello")
        #expect(with.status == 0 && with.output.contains("is live"), "\(with.output)")
        #expect(with.output.contains("submodule lib/deep/inner: \(inner.prefix(7))"), "\(with.output)")
        let mirrors = "\(server.home)/repos/hello.submodules"
        #expect(try FileManager.default.contentsOfDirectory(atPath: mirrors).count == 2)
        let found = try await server.run("/bin/grep", ["-rls", https.token, server.home])
        #expect(found.output.isEmpty, "\(found.output)")

        // The same server by another name is another host: refused, and when it is allowed, without the authority.
        let other = "https://127.0.0.1:\(https.port)/inner.git"
        try await change(
            server, [("lib", "../lib.git"), ("own", other)], ["lib": lib, "own": inner], build: both)
        let refused = try await server.kinto("deploy", "hello")
        #expect(refused.status == 1 && refused.output.contains("is on another host"), "\(refused.output)")
        #expect(refused.output.contains("--submodule-hosts 127.0.0.1:\(https.port)"), "\(refused.output)")
        try await server.kinto("service", "set", "hello", "--submodule-hosts", "127.0.0.1:\(https.port)")
        let allowed = try await server.kinto("deploy", "hello")
        #expect(allowed.status == 1, "\(allowed.output)")
        #expect(allowed.output.contains("The certificate of 127.0.0.1 is not valid"), "\(allowed.output)")
        #expect(try await server.kinto("service", "show", "hello").output.contains("127.0.0.1:\(https.port)"))
        #expect(try await server.kinto("service", "set", "hello", "--submodule-hosts", "a/b").status != 0)
        // What is live stays so.
        #expect(try await server.get().status == 200)
    }

    /// While it is fetched the server dies, and what the child wrote by then is half: the next server gets it whole.
    @Test func aSubmoduleIsFetchedByTheNextServer() async throws {
        try await Server.with { server in
            _ = try await remote(server)
            let https = try HTTPSGitServer("\(server.root)/https", root: "\(server.root)/git")
            defer { https.stop() }
            try await server.kinto(
                "service", "add", "hello", "--repo", "https://localhost:\(https.port)/remote.git")
            try server.write("token", https.token + "\n")
            try await server.kinto(
                "service", "set", "hello", "--ca-from", https.authority, "--token-from",
                "\(server.work)/token", "--username", https.user)
            try FileManager.default.removeItem(atPath: "\(server.work)/token")
            let lib = try await module(server, "lib", ["lib.txt": "lib"])
            try await change(server, [("lib", "../lib.git")], ["lib": lib], build: "grep lib lib/lib.txt")
            server.end(with: SIGTERM)
            // The fetch of the service, its commit, and then that of the submodule.
            try await server.serve(variables: ["KINTO_FAULT=fetching:kill@3"])
            #expect(try await server.kinto("deploy", "hello").status != 0)
            server.end(with: SIGKILL)
            let mirrors = "\(server.home)/repos/hello.submodules"
            let mirror = try #require(try Files.list(mirrors).first)
            // What a child that died with it leaves.
            for name in ["objects/pack/pack_git2_x", "config.lock", "refs/heads/main.lock"] {
                try Files.replace("\(mirrors)/\(mirror)/\(name)", with: Array("half".utf8))
            }
            try await server.serve()
            try await server.until { try await server.releases("hello").first?["finishedAt"] is String }
            let release = try #require(try await server.releases("hello").first)
            #expect(release["status"] as? String == "deployed", "\(release)")
            #expect(try Files.list("\(mirrors)/\(mirror)/objects/pack").allSatisfy { !$0.contains("git2") })
            // It is told by its address, goes with what is not used, and with the service.
            let dry = try await server.kinto("prune", "--dry-run")
            #expect(dry.status == 0, "\(dry.output)")
            let old = [timeval(tv_sec: 1_000_000, tv_usec: 0), timeval(tv_sec: 1_000_000, tv_usec: 0)]
            utimes("\(mirrors)/\(mirror)", old)
            let pruned = try await server.kinto("prune")
            #expect(
                pruned.output.contains("hello submodule https://localhost:\(https.port)/lib.git"),
                "\(pruned.output)")
            #expect(try Files.list(mirrors).isEmpty)
            #expect(try await server.kinto("deploy", "hello", "--no-cache").status == 0)
            #expect(try Files.list(mirrors).count == 1)
            #expect(try await server.kinto("service", "remove", "hello", "--yes").status == 0)
            #expect(!FileManager.default.fileExists(atPath: mirrors))
        }
    }

    @Test func aServiceThatIsPushedToHasNoHostThatRelativeSubmodulesAreOf() async throws {
        try await Server.with { server in
            try await server.setUp(
                Self.settings.replacing("{\"start\"", with: #"{"git":{"submodules":true},"start""#))
            try server.write(".gitmodules", list([("lib", "../lib.git")]))
            try await server.git("add", "-A")
            let commit = String(repeating: "1", count: 40)
            try await server.git("update-index", "--add", "--cacheinfo", "160000,\(commit),lib")
            try await server.git("commit", "-q", "-m", "Submodule")
            let pushed = try await server.git("push", "\(server.home)/repos/hello.git", "HEAD:main")
            #expect(pushed.output.contains("there is nothing it is relative to"), "\(pushed.output)")
            let why = try await server.kinto("why", "hello")
            #expect(why.output.contains("Submodule 'lib'"), "\(why.output)")
        }
    }

    @Test func limitsOfFetchesAreSettings() async throws {
        try await Server.with(["--fetch-limit", "bytes=64KiB"]) { server in
            let path = try await remote(server)
            _ = try await server.run("/bin/sh", ["-c", "head -c 200000 /dev/urandom > \(server.work)/large"])
            try await server.git("add", "-A")
            try await server.git("commit", "-q", "-m", "Large")
            try await server.git("push", "-q", path, "HEAD:main")
            let https = try HTTPSGitServer("\(server.root)/https", root: "\(server.root)/git")
            defer { https.stop() }
            try server.write("token", https.token + "\n")
            try await server.kinto(
                "service", "add", "hello", "--repo", "https://localhost:\(https.port)/remote.git")
            try await server.kinto(
                "service", "set", "hello", "--ca-from", https.authority, "--token-from",
                "\(server.work)/token", "--username", https.user)
            let stopped = try await server.kinto("deploy", "hello")
            #expect(stopped.status == 1 && stopped.output.contains("limit bytes"), "\(stopped.output)")
            #expect(server.stop() < .seconds(120))
            let wrong = try await server.run(
                "\(server.bin)/kinto", ["serve", "--home", server.home, "--fetch-limit", "bytes=1B"])
            #expect(
                wrong.status != 0 && wrong.output.contains("bytes wants a size from 1KiB"), "\(wrong.output)")
            try await server.serve("--fetch-limit", "bytes=1MiB")
            let deployed = try await server.kinto("deploy", "hello")
            #expect(deployed.status == 0, "\(deployed.output)")
        }
    }

    @Test func httpsWithATokenAndAnAuthorityOfItsOwn() async throws {
        try await Server.with { server in
            _ = try await remote(server)
            let https = try HTTPSGitServer("\(server.root)/https", root: "\(server.root)/git")
            defer { https.stop() }
            let added = try await server.kinto(
                "service", "add", "hello", "--repo", "https://localhost:\(https.port)/remote.git")
            #expect(added.output.contains("The certificate of localhost is not valid"), "\(added.output)")
            #expect(
                try await server.kinto("service", "set", "hello", "--ca-from", https.authority).status == 0)
            let refused = try await server.kinto("service", "check", "hello")
            #expect(refused.status == 1, "\(refused.output)")
            try server.write("token", https.token + "\n")
            #expect(
                try await server.kinto(
                    "service", "set", "hello", "--token-from", "\(server.work)/token", "--username",
                    https.user
                ).status == 0)
            let check = try await server.kinto("service", "check", "hello")
            #expect(check.status == 0 && check.output.contains("The branch is at "), "\(check.output)")
            let deploy = try await server.kinto("deploy", "hello")
            #expect(deploy.status == 0 && deploy.output.contains("is live"), "\(deploy.output)")
            let found = try await server.run("/bin/grep", ["-rls", https.token, server.home])
            #expect(found.output.isEmpty, "\(found.output)")
            let shown = try await server.kinto("service", "show", "hello").output
            #expect(!shown.contains(https.token))
            // Else it would be part of what is pushed from here on.
            try FileManager.default.removeItem(atPath: "\(server.work)/token")
            try await withSubmodules(server, https)
            // A redirect to another host is not followed.
            try await server.kinto("service", "remove", "hello", "--yes")
            let moved = try await server.kinto(
                "service", "add", "hello", "--repo", "https://localhost:\(https.port)/moved/remote.git")
            #expect(moved.output.contains("cannot be read yet"))
            try await server.kinto("service", "set", "hello", "--ca-from", https.authority)
            let redirect = try await server.kinto("service", "check", "hello")
            #expect(redirect.status == 1 && redirect.output.contains("redirect"), "\(redirect.output)")
        }
    }
}
