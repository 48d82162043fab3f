// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing
import Wire

/// Static sites while the server dies, files are lost, and settings change.
@Suite(.timeLimit(.minutes(10)))
struct SiteWorldTests {
    /// Visitors notice nothing of it, and every release has its end.
    @Test func theServerDiesAtAnyPlaceOfADeploy() async throws {
        try await Server.with { server in
            try await server.setUpSite(
                #"{"static":{},"rollout":{"watch":"0s"}}"#, ["public/index.html": "page 1"])
            try await server.push("first")
            let load = SiteVisitors(server, ["/"])
            var number = 1
            for point in [
                "decided", "queued", "claimed", "fetching", "fetched", "settings-read", "artifact-written",
                "artifact-named", "swap-recorded", "proxy-told", "draining", "clean-up", "finished",
            ] {
                server.end(with: SIGTERM)
                try await server.serve(variables: ["KINTO_FAULT=\(point):kill"])
                number += 1
                try server.write(["public/index.html": "page \(number)"])
                try await server.push("release \(number)")
                let pid = server.pid
                await onThread {
                    var status: Int32 = 0
                    waitpid(pid, &status, 0)
                }
                #expect(try await server.page("/").hasPrefix("200 page "), "\(point)")
                server.end(with: SIGKILL)
                try await server.serve()
                let wanted = "200 page \(number)"
                do { try await server.until { try await server.page("/") == wanted } } catch {
                    Issue.record("\(point): \(try await server.kinto("releases", "hello").output)")
                }
                try await server.until {
                    try await server.releases("hello").allSatisfy {
                        !["queued", "deploying"].contains($0["status"] as? String)
                    }
                }
            }
            let (answered, failures) = await load.end()
            #expect(failures.isEmpty, "\(failures.prefix(5))")
            #expect(answered > 10)
            #expect(try Files.list("\(server.home)/artifacts").allSatisfy { !$0.hasPrefix(".") })
        }
    }

    @Test func filesThatAreLostAreToldAndMadeAnew() async throws {
        try await Server.with { server in
            try await server.setUpSite(#"{"static":{}}"#, ["public/index.html": "one"])
            try await server.push("first")
            #expect(try await server.kinto("service", "add", "other").status == 0)
            try await server.git("push", "-q", "\(server.home)/repos/other.git", "HEAD:main")
            let lost = "\(server.home)/artifacts/hello.production.1"
            #expect(Files.exists("\(lost)/tree/index.html"))
            try await server.shell("chmod -R u+w \(lost) && rm -r \(lost)")
            #expect(try await server.kinto("proxy", "restart").status == 0)
            #expect(try await server.page("/").hasPrefix("500 "))
            #expect(try await server.page("/", host: "other.localhost") == "200 one")
            let doctor = try await server.kinto("doctor")
            #expect(doctor.status != 0)
            #expect(doctor.output.contains("the files of release 1 are not there"), "\(doctor.output)")
            server.end(with: SIGKILL)
            try await server.serve()
            #expect(try await server.page("/").hasPrefix("500 "))
            #expect(try await server.kinto("deploy", "hello", "--force").status == 0)
            #expect(try await server.page("/") == "200 one")
            #expect(try await server.kinto("doctor").status == 0)
        }
    }

    @Test func aBackupHoldsIt() async throws {
        let root = "/tmp/kinto-site-backup-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        defer { try? FileManager.default.removeItem(atPath: root) }
        try await Server.with { server in
            try await server.setUpSite(
                #"{"static":{},"rollout":{"watch":"0s"}}"#,
                [
                    "public/index.html": "one", "public/old.js": "old",
                    "public/words.txt": String(repeating: "words ", count: 1000),
                ])
            try await server.push("first")
            try FileManager.default.removeItem(atPath: "\(server.work)/public/old.js")
            try server.write(["public/index.html": "two"])
            try await server.push("second")
            let backup = try await server.kinto("backup", root)
            #expect(backup.status == 0, "\(backup.output)")
        }
        try await Server.with { server in
            let restored = try await server.kinto("restore", root)
            #expect(restored.status == 0, "\(restored.output)")
        } _: { server in
            #expect(try await server.page("/") == "200 two")
            #expect(try await server.page("/old.js") == "200 old")
            let packed = try await server.run(
                "/usr/bin/curl",
                [
                    "-sS", "-m", "60", "-H", "Host: hello.localhost", "--compressed", "-D", "-",
                    "http://127.0.0.1:\(server.proxy)/words.txt",
                ]
            ).output
            #expect(packed.contains("Content-Encoding: gzip") && packed.hasSuffix("words "), "\(packed)")
            // It is renamed, and still there.
            #expect(try await server.kinto("service", "rename", "hello", "shop").status == 0)
            #expect(try await server.page("/", host: "shop.localhost") == "200 two")
            #expect(try await server.page("/old.js", host: "shop.localhost") == "200 old")
            #expect(try await server.page("/").hasPrefix("404 "))
        }
    }

    @Test func environmentsHaveTheirOwnFilesOfOneArtifact() async throws {
        try await Server.with { server in
            try await server.setUpSite(
                #"{"static":{"output":"out/live"},"build":{"output":"out"},"environments":{"staging":{"static":{"output":"out/staging"}}}}"#,
                ["out/live/index.html": "live", "out/staging/index.html": "staging"])
            try await server.kinto("environment", "add", "hello", "staging", "--branch", "staging")
            try await server.push("first", branch: "staging")
            #expect(try await server.page("/", host: "hello--staging.localhost") == "200 staging")
            #expect(try await !server.page("/").hasPrefix("200 "))
            let promoted = try await server.kinto("promote", "hello", "staging", "production")
            #expect(promoted.status == 0, "\(promoted.output)")
            #expect(try await server.page("/") == "200 live")
            #expect(try await server.page("/", host: "hello--staging.localhost") == "200 staging")
        }
    }

    /// A service becomes a site, and a service again.
    @Test func betweenAProcessAndFiles() async throws {
        try await Server.with { server in
            let web =
                #"{"start":"python3 server.py","probe":{"path":"/"},"rollout":{"watch":"0s","warm":"0s"}}"#
            try await server.setUp(web)
            try await server.push("first")
            try server.write(["public/index.html": "<p>file"])
            let load = SiteVisitors(server, ["/"])
            for round in 1...2 {
                try server.write(["kinto.json": #"{"static":{},"rollout":{"watch":"0s"}}"#])
                let site = try await server.push("site \(round)").output
                #expect(site.contains("is live"), "\(site)")
                #expect(try await server.page("/") == "200 <p>file")
                try await server.until { server.runningServices().isEmpty }
                try server.write(["kinto.json": web])
                let process = try await server.push("process \(round)").output
                #expect(process.contains("is live"), "\(process)")
                #expect(try await server.page("/").hasPrefix("200 release="))
            }
            // Back to files without a build.
            #expect(try await server.kinto("rollback", "hello").status == 0)
            #expect(try await server.page("/") == "200 <p>file")
            let (answered, failures) = await load.end()
            #expect(failures.isEmpty, "\(failures.prefix(5))")
            #expect(answered > 10)
        }
    }

    @Test func workersBesideFilesAndWhatIsSaidOfASite() async throws {
        try await Server.with { server in
            try await server.setUpSite(
                #"{"static":{},"rollout":{"watch":"0s"}}"#, ["public/index.html": "one"])
            try await server.push("first")
            let ps = try await server.kinto("ps", "hello").output
            #expect(ps.contains("the proxy answers with the files of release 1"), "\(ps)")
            let scaled = try await server.kinto("scale", "hello", "web=2")
            #expect(scaled.status == 3)
            #expect(scaled.output.contains("it has only files"), "\(scaled.output)")
            let logs = try await server.kinto("logs", "hello").output
            #expect(logs.contains("nothing of release 1 runs"), "\(logs)")
            #expect(
                try await server.kinto("open", "hello", "--print").output.contains("http://hello.localhost"))
            let run = try await server.run(
                "\(server.bin)/kinto",
                ["run", "--home", server.home, "hello", "--", "cat", "index.html"])
            #expect(run.output.contains("one"), "\(run.output)")

            try server.write(
                [
                    "kinto.json":
                        #"{"static":{},"processes":{"worker":{"command":"sleep 600"}},"rollout":{"watch":"0s"}}"#,
                    "public/index.html": "two",
                ])
            let pushed = try await server.push("second").output
            #expect(pushed.contains("is live"), "\(pushed)")
            #expect(try await server.page("/") == "200 two")
            #expect(try await server.kinto("ps", "hello").output.contains("worker.1"))
            // None of the workers runs, and visitors are served.
            let none = try await server.kinto("scale", "hello", "worker=0")
            #expect(none.status == 0, "\(none.output)")
            #expect(try await server.page("/") == "200 two")
            #expect(try await server.kinto("scale", "hello", "worker=2").status == 0)
            try await server.until { try await server.kinto("ps", "hello").output.contains("worker.2") }
            #expect(try await server.page("/") == "200 two")
            #expect(try await server.kinto("suspend", "hello").status == 0)
            #expect(try await server.page("/").hasPrefix("503 "))
            #expect(try await server.kinto("resume", "hello").status == 0)
            #expect(try await server.page("/") == "200 two")
            #expect(try await server.kinto("ps", "hello").output.contains("worker.2"))
        }
    }

    /// Retention leaves what visitors may still ask for, and the space it takes is counted.
    @Test func retentionLeavesWhatStillAnswers() async throws {
        try await Server.with { server in
            let words = String(repeating: "some words ", count: 20_000)
            try await server.setUpSite(
                #"{"static":{"keep":"10m"},"rollout":{"watch":"0s"}}"#,
                ["public/index.html": "1", "public/app-1.txt": words])
            try await server.push("1")
            for number in 2...4 {
                try FileManager.default.removeItem(atPath: "\(server.work)/public/app-\(number - 1).txt")
                try server.write(["public/index.html": "\(number)", "public/app-\(number).txt": "\(number)"])
                try await server.push("\(number)")
            }
            let pruned = try await server.kinto("prune", "--keep", "1")
            for number in 2...4 {
                #expect(
                    try await server.page("/app-\(number).txt") == "200 \(number)", "\(pruned.output)")
            }
            #expect(try await server.page("/app-1.txt") == "200 \(words)")
            #expect(try await server.kinto("proxy", "restart").status == 0)
            #expect(try await server.page("/app-1.txt") == "200 \(words)")
            // Gone at once, and retention may take them.
            try server.write(["kinto.json": #"{"static":{"keep":"0s"},"rollout":{"watch":"0s"}}"#])
            try await server.push("5")
            #expect(try await server.page("/app-1.txt").hasPrefix("404 "))
        }
    }
}
