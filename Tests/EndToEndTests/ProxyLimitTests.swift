// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing

/// The limits on their way from the command line to the proxy.
@Suite(.serialized, .timeLimit(.minutes(20)))
struct ProxyLimitTests {
    @Test func aLimitReachesTheProxy() async throws {
        try await Server.with(["--proxy-limit", "request-line=128B", "--proxy-limit", "header-fields=50"]) {
            server in
            for (count, status) in [(20, 404), (200, 414)] {
                let path = String(repeating: "x", count: count)
                let answer = try await HTTPClient.send(
                    .init(url: "http://127.0.0.1:\(server.proxy)/\(path)", timeout: 60_000))
                #expect(answer.status == status)
            }
        }
    }

    @Test func whatIsNoLimitIsRefusedBeforeAnythingIsStarted() async throws {
        try await TemporaryDirectory.with { directory in
            for (limit, words) in [
                ("idle=75s", "the names are header-bytes, "), ("idle-time=75", "idle-time wants a time "),
            ] {
                let tried = try await Server.command([
                    "serve", "--home", "\(directory)/home", "--listen", "127.0.0.1:1", "--proxy-listen",
                    "127.0.0.1:1", "--proxy-limit", limit,
                ])
                #expect(tried.status == 2, "\(tried.output)")
                #expect(tried.output.contains(words), "\(tried.output)")
            }
            let help = try await Server.command(["serve", "--help"])
            #expect(help.output.contains("--proxy-limit"))
            #expect(help.output.contains("loopback-connections"))
        }
    }
}
