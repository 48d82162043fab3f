// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import KintoCore
import TestSupport
import Testing
import Wire

@testable import Rollout

/// The real Caddy, with the configuration that docs/proxies.md shows.
@Suite(.serialized, .timeLimit(.minutes(20)))
struct CaddyTests {
    private func with(
        _ body: (RealProxy, CaddyDriver, _ admin: String, _ start: () async throws -> Void) async throws ->
            Void
    ) async throws {
        try await TemporaryDirectory.with { directory in
            let proxy = try RealProxy(directory)
            defer { proxy.stop() }
            let admin = "localhost:\(try FreePort.take())"
            try proxy.write(
                "Caddyfile",
                RealProxy.documented(
                    "caddyfile", [":80 {": "http://:\(proxy.port) {", "localhost:2019": admin]))
            // The visitors here send as soon as they are connected.
            let driver = CaddyDriver(admin: admin, server: "srv0", settling: .milliseconds(300))
            try await body(proxy, driver, admin) {
                try await proxy.start(
                    "/usr/bin/caddy", ["run", "--config", "\(directory)/Caddyfile", "--adapter", "caddyfile"])
            }
        }
    }

    private func configuration(_ admin: String) async throws -> NSDictionary {
        let answer = try await HTTPClient.send(.init(url: "http://\(admin)/config/", timeout: 60_000))
        let object = try JSONSerialization.jsonObject(with: Data(answer.body))
        return try #require(object as? NSDictionary)
    }

    @Test func swapsLoseNoAnswer() async throws {
        try await with { proxy, driver, _, start in
            try await start()
            let report = try await SwapLoad.run(proxy, driver)
            // A change closes connections that rest, on which a request may be on its way, and its old listener with
            // those that it has not accepted yet, or that are just being made. Nothing else is lost.
            #expect(
                report.kinds.keys.allSatisfy { ["stale", "closed", "connect"].contains($0) },
                "\(report.firstFailures)")
            #expect(report.failed <= 2 * SwapLoad.swaps * SwapLoad.connections, "\(report.firstFailures)")
            #expect(report.requests > 0)
            #expect(Set(report.releases.map(\.release)) == Set(1...(SwapLoad.swaps + 1)))
        }
    }

    @Test func onlyItsOwnRouteIsChanged() async throws {
        try await with { proxy, driver, admin, start in
            try await start()
            let before = try await configuration(admin)
            #expect(await proxy.get()?.status == 404)
            let live = try await Instance(release: 1)
            defer { live.stop() }
            try await driver.apply([
                SwapLoad.route(1, [live.port]),
                .init(identifier: "idle/production", hosts: ["idle.localhost"]),
            ])
            #expect(await proxy.get()?.body == "release=1 ")
            #expect(await proxy.get(host: "idle.localhost")?.status == 503)
            #expect(await proxy.get(host: "unknown.example.com")?.status == 404)
            // Without kinto's route it is what it was.
            let gone = try await HTTPClient.send(
                .init("DELETE", url: "http://\(admin)/id/kinto", timeout: 60_000))
            #expect(gone.status == 200)
            #expect(try await configuration(admin) == before)
            #expect(await driver.isInForce() == false)
            try await driver.apply([SwapLoad.route(1, [live.port])])
            #expect(await driver.isInForce())
            #expect(await proxy.get()?.body == "release=1 ")
        }
    }

    @Test func theDrainIsTheLastRequest() async throws {
        try await with { proxy, driver, _, start in
            try await start()
            let (old, new) = (try await Instance(release: 1), try await Instance(release: 2))
            defer { new.stop() }
            defer { old.stop() }
            try await driver.apply([SwapLoad.route(1, [old.port])])
            let slow = Task { await proxy.get("/slow") }
            try await until("the slow request is on its way") {
                LoopbackConnections.count(to: [old.port]) > 0
            }
            try await driver.apply([SwapLoad.route(2, [new.port])])
            #expect(await proxy.get()?.body == "release=2 ")
            #expect(
                try await driver.drain("hello/production/1", port: nil, TimeSpan(milliseconds: 50)).cut == 1)
            old.letGo()
            #expect(try await driver.drain("hello/production/1", port: nil, .seconds(120)).cut == 0)
            #expect(await slow.value?.body == "release=1 ")
        }
    }

    @Test func whatCaddyRefusesFailsTheSwapWithItsWords() async throws {
        try await with { proxy, driver, admin, start in
            try await start()
            let (old, new) = (try await Instance(release: 1), try await Instance(release: 2))
            defer { new.stop() }
            defer { old.stop() }
            let file = "\(proxy.directory)/certificate.pem"
            try await driver.apply([SwapLoad.route(1, [old.port])])
            // Somebody's certificate that is gone by the time of the swap.
            let made = Process()
            made.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
            made.arguments = [
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=other.example.com", "-keyout",
                file,
                "-out", "\(file).crt",
            ]
            made.standardError = FileHandle.nullDevice
            try made.run()
            made.waitUntilExit()
            let answer = try await HTTPClient.send(
                .init(
                    "PUT", url: "http://\(admin)/config/apps/tls",
                    headers: ["Content-Type: application/json"],
                    body: Array(
                        #"{"certificates":{"load_files":[{"certificate":"\#(file).crt","key":"\#(file)"}]}}"#
                            .utf8),
                    timeout: 60_000))
            #expect(answer.status == 200)
            try FileManager.default.removeItem(atPath: file)
            let before = try await configuration(admin)
            let failure = await #expect(throws: Failure.self) {
                try await driver.apply([SwapLoad.route(2, [new.port])])
            }
            #expect(failure?.code == "proxy-config")
            #expect(failure?.evidence.first?.contains("certificate.pem: no such file") == true)
            #expect(try await configuration(admin) == before)
            #expect(await proxy.get()?.body == "release=1 ")
        }
    }

    @Test func aStoppedCaddyAndOneWithoutTheServerFailTheSwap() async throws {
        try await with { proxy, driver, admin, start in
            let failure = await #expect(throws: Failure.self) {
                try await driver.apply([SwapLoad.route(1, [1])])
            }
            #expect(failure?.code == "proxy-unreachable")
            await #expect(throws: Failure.self) { try await driver.status() }
            try await start()
            #expect(try await driver.status().name == "Caddy")
            let other = CaddyDriver(admin: admin, server: "srv7")
            let lacking = await #expect(throws: Failure.self) {
                try await other.apply([SwapLoad.route(1, [1])])
            }
            #expect(lacking?.code == "proxy-config")
            #expect(lacking?.message == "Caddy has no HTTP server 'srv7'")
        }
    }

    @Test func instancesComeAndGo() async throws {
        try await with { proxy, driver, _, start in
            try await start()
            let (one, two) = (try await Instance(release: 1), try await Instance(release: 2))
            defer { two.stop() }
            defer { one.stop() }
            func seen() async -> Set<String> {
                var seen: Set<String> = []
                for _ in 0..<20 { seen.insert(await proxy.get()?.body ?? "") }
                return seen
            }
            try await driver.apply([SwapLoad.route(1, [one.port, two.port])])
            #expect(await seen() == ["release=1 ", "release=2 "])
            try await driver.apply([SwapLoad.route(1, [two.port])])
            #expect(try await driver.drain("hello/production/1", port: one.port, .seconds(120)).cut == 0)
            #expect(await seen() == ["release=2 "])
        }
    }
}
