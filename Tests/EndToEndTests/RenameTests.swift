// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing
import Wire

/// A service gets another name while it serves.
@Suite(.timeLimit(.minutes(20)))
struct RenameTests {
    private static let settings =
        #"{"start":"python3 server.py","probe":{"path":"/"},"rollout":{"drain":"1s","warm":"0s","watch":"0s","stop":{"grace":"5s"}}}"#

    private func prepare(_ server: Server) async throws {
        try await server.setUp(Self.settings)
        try await server.kinto("environment", "add", "hello", "staging", "--branch", "main")
        try await server.push("first")
        try await server.kinto("config", "hello", "set", "--secret", "GREETING=a secret thing")
    }

    private func pid(_ server: Server, _ name: String) async throws -> Int? {
        let live = try await server.releases(name).first { $0["live"] as? Bool == true }
        return ((live?["instances"] as? [[String: Any]])?.first)?["pid"] as? Int
    }

    /// Everything is there under the new name, and nothing was started again.
    private func check(_ server: Server, _ running: Int?) async throws {
        #expect(try await server.releases("shop").count == 2)
        #expect(try await pid(server, "shop") == running)
        #expect(
            try await server.text("shop.localhost").hasPrefix("release=2 pid=\(running ?? 0) a secret thing"))
        #expect(try await server.text("shop--staging.localhost").hasPrefix("release=1 "))
        #expect(try await server.get().status == 404)
        #expect(try await server.kinto("logs", "shop", "--build").output.contains("is live"))
        let revealed = try await server.kinto("config", "shop", "list", "--reveal")
        #expect(revealed.output == "GREETING=a secret thing\n", "\(revealed.output)")
        #expect(try await server.kinto("service", "show", "hello").status == 3)
        // The old repository says where to push, and takes nothing.
        let refused = try await server.push("second")
        #expect(refused.status != 0 && refused.output.contains("called shop now"), "\(refused.output)")
        #expect(refused.output.contains("\(server.home)/repos/shop.git"))
        #expect(try await server.releases("shop").count == 2)
        let pushed = try await server.git("push", "\(server.home)/repos/shop.git", "HEAD:main")
        #expect(
            pushed.status == 0 && pushed.output.contains("release 3 of shop/production"), "\(pushed.output)")
        #expect(try await server.text("shop.localhost").hasPrefix("release=3 "))
        #expect(try await server.kinto("rollback", "shop").status == 0)
    }

    @Test func allFollowsTheName() async throws {
        try await Server.with { server in
            try await prepare(server)
            let running = try await pid(server, "hello")
            try await server.kinto("pause", "hello", "-e", "staging")
            for (name, status) in [("hello", Int32(3)), ("No", 2), ("", 2)] {
                #expect(
                    try await server.kinto("service", "rename", "hello", name).status == status, "\(name)")
            }
            let renamed = try await server.kinto("service", "rename", "hello", "shop")
            #expect(renamed.status == 0, "\(renamed.output)")
            #expect(renamed.output.contains("git remote set-url kinto \(server.home)/repos/shop.git"))
            try await server.kinto("resume", "shop", "-e", "staging")
            try await check(server, running)
            // A delivery to the old address is still one of the service.
            let delivered = try await server.deliver(
                String(try await server.git("rev-parse", "HEAD").output.prefix(40)), to: "hello", id: "1",
                secret: server.webhookSecret)
            #expect(delivered.status < 300, "\(delivered.body)")
            #expect(delivered.body["service"] as? String == "shop", "\(delivered.body)")
            // The old name is given away when nothing depends on it any more.
            let taken = try await server.kinto("service", "add", "hello")
            #expect(taken.status == 3 && taken.output.contains("was called hello"), "\(taken.output)")
            // And back.
            try await server.until {
                try await server.kinto("service", "rename", "shop", "hello").status == 0
            }
            #expect(try await server.get().status == 200)
            #expect(try await server.push("third").status == 0)
            let files = try FileManager.default.contentsOfDirectory(atPath: "\(server.home)/services")
                .sorted()
            #expect(files == ["hello", "shop"])
            #expect(try await server.kinto("service", "remove", "hello", "--yes").status == 0)
            for directory in ["services", "repos", "work", "artifacts"] {
                let left =
                    (try? FileManager.default.contentsOfDirectory(atPath: "\(server.home)/\(directory)"))
                    ?? []
                #expect(left.isEmpty, "\(directory): \(left)")
            }
            #expect(try await server.kinto("service", "add", "shop").status == 0)
        }
    }

    @Test func notWhileADeployRuns() async throws {
        try await Server.with { server in
            try await prepare(server)
            try server.write(
                "kinto.json", #"{"build":{"command":"sleep 600"},"start":"python3 server.py"}"#)
            try await server.commit("slow")
            async let push = server.pushTo("HEAD:main")
            try await server.until {
                try await server.releases("hello").first?["stage"] as? String == "build"
            }
            let refused = try await server.kinto("service", "rename", "hello", "shop")
            #expect(refused.status == 3 && refused.output.contains("is not over"), "\(refused.output)")
            #expect(try await server.get().status == 200)
            try await server.kinto("abort", "hello")
            try await server.kinto("abort", "hello", "-e", "staging")
            _ = try await push
        }
    }

    /// Killed between the record and the files, and after them.
    @Test(arguments: ["renamed", "renamed-files"]) func isWholeAfterAKill(_ point: String) async throws {
        try await Server.with { server in
            try await prepare(server)
            let running = try await pid(server, "hello")
            server.end(with: SIGTERM)
            try await server.serve(variables: ["KINTO_FAULT=\(point):kill"])
            #expect(try await server.kinto("service", "rename", "hello", "shop").status == 69)
            server.end(with: SIGKILL)
            try await server.serve()
            try await check(server, running)
        }
    }

    /// Something that does not end does not keep the server from ending well.
    @Test func isWholeWhenTheServerIsToldToStopMeanwhile() async throws {
        try await Server.with { server in
            try await prepare(server)
            let running = try await pid(server, "hello")
            server.end(with: SIGTERM)
            let gate = "\(server.root)/gate"
            try await server.serve(variables: ["KINTO_FAULT=renamed:hold=\(gate)"])
            async let renamed = server.kinto("service", "rename", "hello", "shop")
            try await server.until { Files.exists("\(gate).held") }
            #expect(server.end(with: SIGTERM) == 0)
            #expect(try await renamed.status == 69)
            let log = try String(contentsOfFile: "\(server.root)/serve.log", encoding: .utf8)
            #expect(log.contains("stopped with work under way"), "\(log)")
            try await server.serve()
            try await check(server, running)
        }
    }
}
