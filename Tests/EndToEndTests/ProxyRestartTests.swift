// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing

/// `kinto proxy restart`, and what `kinto serve` does with a proxy that is not as it should be.
@Suite(.timeLimit(.minutes(20)))
struct ProxyRestartTests {
    /// The short form of `make soak-proxy`.
    @Test func replacementsUnderLoadDropNothing() async throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let done = try await Command.run(
            root.appendingPathComponent("scripts/soak-proxy").path, ["--replacements", "5"],
            environment: Products.environment())
        let text = done.output
        #expect(done.status == 0, "\(text)")
        #expect(text.contains("\nfailed: 0\n"), "\(text)")
        #expect(text.hasSuffix("soak-proxy: ok\n"), "\(text)")
    }

    @Test func theCommandSaysWhoServesNow() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            let before = try await server.proxyStatus()
            let answer =
                try await server.json("proxy", "restart", "--drain", "5s", "--json") as? [String: Any]
            let after = try await server.proxyStatus()
            #expect(answer?["pid"] as? Int == after["pid"] as? Int)
            #expect(after["pid"] as? Int != before["pid"] as? Int)
            #expect(after["supervisor"] as? Int != before["supervisor"] as? Int)
            #expect(try await server.get().status == 200)
            #expect(try await server.push("second").output.contains("Release 2 is live"))
            #expect(try await server.kinto("proxy", "restart", "--drain", "soon").status == 2)
        }
    }

    @Test func otherSettingsAtTheStartOfTheServerReplaceTheProxy() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            let visitors = Visitors(server)
            let before = try await server.proxyStatus()
            _ = server.stop()
            try await server.serve("--proxy-limit", "idle-time=20s")
            let after = try await server.proxyStatus()
            #expect(after["pid"] as? Int != before["pid"] as? Int)
            _ = server.stop()
            try await server.serve("--proxy-limit", "idle-time=20s")
            #expect(try await server.proxyStatus()["pid"] as? Int == after["pid"] as? Int)
            #expect(await visitors.end().failures == [])
        }
    }
}

extension Server {
    func proxyStatus() async throws -> [String: Any] {
        let status = try await json("status", "--json") as? [String: Any]
        return status?["proxy"] as? [String: Any] ?? [:]
    }
}
