// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import TestSupport
import Testing

/// What differs, and variables from and to files.
@Suite(.timeLimit(.minutes(20)))
struct DiffTests {
    private static func settings(_ more: String = "") -> String {
        #"{"start":"python3 server.py","probe":{"path":"/"},"rollout":{"drain":"1s","warm":"0s","watch":"0s"}\#(more)}"#
    }

    @Test func tellsWhatABranchWouldBring() async throws {
        try await Server.with { server in
            try await server.setUp(Self.settings())
            try await server.commit("first")
            let none = try await server.kinto("diff", "hello")
            #expect(none.status == 3 && none.output.contains("has no branch 'main' yet"), "\(none.output)")
            _ = try await server.pushTo("HEAD:main")
            let same = try await server.kinto("diff", "hello")
            #expect(same.status == 0 && same.output.contains("no difference"), "\(same.output)")
            try server.write("kinto.json", Self.settings(#","env":{"SHOWN":"hidden-value"}"#))
            try await server.commit("second\nthing")
            _ = try await server.pushTo("-o", "skip", "HEAD:main")
            let diff = try await server.kinto("diff", "hello")
            #expect(diff.output.contains("hello: release 1 ("), "\(diff.output)")
            #expect(diff.output.contains("1 commit only in branch 'main'"), "\(diff.output)")
            #expect(diff.output.contains(" second thing\n"))
            #expect(diff.output.contains("       + env.SHOWN\n"))
            #expect(!diff.output.contains("hidden-value"))
            // Settings that cannot be read are told, and the rest is still compared.
            try server.write("kinto.json", #"{"strat":"x"}"#)
            try await server.commit("broken")
            try await server.git(
                "push", "-q", "--force", "\(server.home)/repos/hello.git", "HEAD:refs/heads/other")
            try await server.git(
                "--git-dir", "\(server.home)/repos/hello.git", "update-ref", "refs/heads/main",
                "refs/heads/other")
            let broken = try await server.kinto("diff", "hello")
            #expect(broken.status == 0 && broken.output.contains("2 commits only in"), "\(broken.output)")
            #expect(broken.output.contains("branch 'main': kinto.json has mistakes: kinto.json:1:1"))
            // The other way round.
            try await server.git("checkout", "-q", "--orphan", "elsewhere")
            try server.write("kinto.json", Self.settings())
            try await server.commit("another root")
            _ = try await server.pushTo("--force", "-o", "skip", "HEAD:main")
            let json = try await server.json("diff", "hello", "--json") as? [String: Any]
            #expect(json?["commitCount"] as? Int == 1 && json?["missingCount"] as? Int == 1, "\(json ?? [:])")
        }
    }

    @Test func tellsHowEnvironmentsAndReleasesDiffer() async throws {
        try await Server.with { server in
            try await server.setUp(
                Self.settings(#","environments":{"staging":{"rollout":{"drain":"2s"}}}"#))
            try await server.kinto("environment", "add", "hello", "staging")
            try await server.commit("first")
            _ = try await server.pushTo("HEAD:main", "HEAD:staging")
            try await server.kinto("config", "hello", "set", "ONE=1", "BOTH=here")
            try await server.kinto("config", "hello", "set", "-e", "staging", "TWO=2", "BOTH=there")
            try await server.commit("second")
            _ = try await server.pushTo("HEAD:staging")
            let diff = try await server.kinto("diff", "hello", "staging", "production")
            #expect(diff.output.contains("hello: release 3 of staging ("), "\(diff.output)")
            #expect(diff.output.contains("1 commit only in release 3 of staging"), "\(diff.output)")
            for line in ["~ rollout.drain", "+ ONE", "- TWO", "~ BOTH"] {
                #expect(diff.output.contains("       \(line)\n"), "\(line): \(diff.output)")
            }
            let names = try await server.kinto("config", "hello", "diff", "staging")
            #expect(names.output.contains("- ONE\n+ TWO\n"), "\(names.output)")
            let releases = try await server.kinto("diff", "hello", "--release", "1", "2")
            #expect(
                releases.output.contains("+ BOTH") && releases.output.contains("+ ONE"), "\(releases.output)")
            #expect(
                try await server.kinto("diff", "hello", "--release", "2").output.contains("no difference"))
            for (words, status) in [
                (["--release", "9"], Int32(3)), (["--release", "0"], 2), (["--release", "1", "2", "3"], 2),
                (["staging"], 2), (["staging", "nowhere"], 3),
                (["staging", "production", "-e", "staging"], 2),
            ] {
                let refused = try await server.run(
                    "\(server.bin)/kinto", ["diff", "hello"] + words + ["--home", server.home])
                #expect(refused.status == status, "\(words): \(refused.output)")
            }
        }
    }

    /// A repository elsewhere is asked, and the service's own stays as it was.
    @Test func looksAtARemoteRepositoryAndKeepsNothing() async throws {
        try await Server.with { server in
            try await server.setUp(Self.settings())
            let origin = "\(server.root)/origin.git"
            try await server.git("init", "-q", "--bare", "-b", "main", origin)
            try await server.commit("first")
            try await server.git("push", "-q", origin, "HEAD:main")
            try await server.kinto("service", "add", "far", "--repo", "file://\(origin)")
            let new = try await server.kinto("diff", "far")
            #expect(new.status == 0 && new.output.contains("nothing is live"), "\(new.output)")
            #expect(new.output.contains("1 commit only in branch 'main'"), "\(new.output)")
            #expect(try await server.kinto("deploy", "far").status == 0)
            try await server.commit("second")
            try await server.git("push", "-q", origin, "HEAD:main")
            let mirror = "\(server.home)/repos/far.git"
            let list = {
                try await server.run(
                    "/usr/bin/find", [mirror, "-type", "f", "-newermt", "@0", "-printf", "%p %s %T@\n"]
                )
                .output
            }
            let before = try await list()
            let diff = try await server.kinto("diff", "far")
            #expect(diff.output.contains("1 commit only in branch 'main'"), "\(diff.output)")
            #expect(diff.output.contains(" second\n"))
            #expect(try await list() == before)
            let left = try FileManager.default.contentsOfDirectory(atPath: "\(server.home)/repos")
            #expect(!left.contains("far.look"), "\(left)")
            try FileManager.default.removeItem(atPath: origin)
            #expect(try await server.kinto("diff", "far").status == 3)
        }
    }

    @Test func variablesComeFromFilesAndGoToThem() async throws {
        try await Server.with { server in
            try await server.setUp(Self.settings())
            try server.write(
                ".env",
                "# ours\nexport GREETING='good morning'\nKEY=\"line one\\nline two\"\nURL=http://x/?a=b # shown\n"
            )
            let imported = try await server.kinto("config", "hello", "import", "\(server.work)/.env")
            #expect(imported.status == 0, "\(imported.output)")
            #expect(imported.output.contains("3 variables of") && !imported.output.contains("good morning"))
            try server.write(".secrets", "TOKEN='s3cret it'\\''s'\n")
            let secret = try await server.kinto(
                "config", "hello", "import", "\(server.work)/.secrets", "--secret")
            #expect(secret.status == 0, "\(secret.output)")
            let export = try await server.kinto("config", "hello", "export", "--quiet")
            #expect(
                export.output
                    == "GREETING='good morning'\nKEY='line one\nline two'\n# TOKEN is a secret\nURL='http://x/?a=b'\n",
                "\(export.output)")
            let all = try await server.kinto("config", "hello", "export", "--reveal")
            #expect(all.output.contains("TOKEN=\"s3cret it's\"\n"), "\(all.output)")
            // Through a pipe into another environment, and nothing differs.
            try await server.kinto("environment", "add", "hello", "staging")
            try all.output.write(toFile: "\(server.root)/all", atomically: true, encoding: .utf8)
            let words =
                "exec '\(server.bin)/kinto' config hello import - -e staging --home '\(server.home)' < '\(server.root)/all'"
            #expect(try await server.run("/bin/sh", ["-c", words]).status == 0)
            let same = try await server.kinto("config", "hello", "diff", "staging")
            #expect(same.output.contains("have the same variables"), "\(same.output)")
            // All or nothing, with the line.
            try server.write("bad.env", "GOOD=1\nnot a variable\nKINTO_HOME=x\n")
            let bad = try await server.kinto("config", "hello", "import", "\(server.work)/bad.env")
            #expect(bad.status == 2, "\(bad.output)")
            #expect(bad.output.contains("bad.env:2: 'not' is not followed by '='"), "\(bad.output)")
            #expect(bad.output.contains("bad.env:3: 'KINTO_HOME' is set by kinto"))
            #expect(!(try await server.kinto("config", "hello")).output.contains("GOOD"))
            // What is revealed is so on the server itself.
            let token = try String(contentsOfFile: "\(server.home)/token", encoding: .utf8)
            let remote = try await server.run(
                "\(server.bin)/kinto", ["config", "hello", "export", "--reveal"],
                more: [
                    "KINTO_URL=http://127.0.0.1:\(server.listen)",
                    "KINTO_TOKEN=\(token.trimmingCharacters(in: .whitespacesAndNewlines))",
                ])
            #expect(remote.status == 3 && !remote.output.contains("s3cret"), "\(remote.output)")
        }
    }

    @Test func opensWhereThereIsADisplay() async throws {
        try await Server.with { server in
            try await server.setUp(Self.settings())
            try await server.push("first")
            let plain = try await server.kinto("open", "hello")
            #expect(plain.output == "http://hello.localhost:\(server.proxy)/\n", "\(plain.output)")
            let opener = "\(server.root)/bin"
            try FileManager.default.createDirectory(atPath: opener, withIntermediateDirectories: true)
            try "#!/bin/sh\nprintf '%s\\n' \"$@\" > '\(server.root)/opened'\n".write(
                toFile: "\(opener)/xdg-open", atomically: true, encoding: .utf8)
            chmod("\(opener)/xdg-open", 0o755)
            let words = ["open", "hello", "--home", server.home]
            for (more, isOpened) in [(["--print"], false), ([], true)] {
                let shown = try await server.run(
                    "\(server.bin)/kinto", words + more, more: ["DISPLAY=:7", "PATH=\(opener):/usr/bin:/bin"])
                #expect(shown.status == 0)
                if isOpened {
                    try await server.until {
                        (try? String(contentsOfFile: "\(server.root)/opened", encoding: .utf8))
                            == plain.output
                    }
                } else {
                    #expect(!FileManager.default.fileExists(atPath: "\(server.root)/opened"))
                }
            }
            #expect(try await server.kinto("open", "nobody").status == 3)
        }
    }
}
