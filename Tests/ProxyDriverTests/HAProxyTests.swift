// SPDX-License-Identifier: Apache-2.0
import Foundation
import KintoCore
import TestSupport
import Testing
import Wire

@testable import Rollout

/// The real HAProxy, with the configuration that docs/proxies.md shows.
@Suite(.serialized, .timeLimit(.minutes(20)))
struct HAProxyTests {
    private func with(
        _ body: (RealProxy, HAProxyDriver, _ start: () async throws -> Void) async throws -> Void
    ) async throws {
        try await TemporaryDirectory.with { directory in
            let proxy = try RealProxy(directory)
            defer { proxy.stop() }
            try proxy.write(
                "haproxy.cfg",
                RealProxy.documented(
                    "haproxy",
                    [
                        "bind :80": "bind 127.0.0.1:\(proxy.port)",
                        "/run/haproxy/kinto.sock": "\(directory)/kinto.sock",
                    ]))
            let driver = HAProxyDriver(socket: "\(directory)/kinto.sock")
            try await body(proxy, driver) {
                try await proxy.start("/usr/sbin/haproxy", ["-W", "-f", "\(directory)/haproxy.cfg"])
                // It listens for visitors a moment before its socket is there.
                try await until("the runtime socket answers") { (try? await driver.status()) != nil }
            }
        }
    }

    @Test func swapsLoseNothing() async throws {
        try await with { proxy, driver, start in
            try await start()
            let report = try await SwapLoad.run(proxy, driver)
            #expect(report.failed == 0, "\(report.firstFailures)")
            #expect(report.requests > 0)
            // No visitor's connection is touched.
            #expect(report.reconnects == 0)
            #expect(Set(report.releases.map(\.release)) == Set(1...(SwapLoad.swaps + 1)))
        }
    }

    @Test func theDrainIsTheLastRequestAndWhatIsLeftIsCut() async throws {
        try await with { proxy, driver, start in
            try await start()
            for time in [TimeSpan.seconds(120), TimeSpan(milliseconds: 50)] {
                let (old, new) = (try await Instance(release: 1), try await Instance(release: 2))
                defer { new.stop() }
                defer { old.stop() }
                try await driver.apply([SwapLoad.route(1, [old.port])])
                let slow = Task { await proxy.get("/slow") }
                try await until("the slow request is on its way") {
                    try await driver.counters().contains { $0.inFlight == 1 }
                }
                try await driver.apply([SwapLoad.route(2, [new.port])])
                #expect(await proxy.get()?.body == "release=2 ")
                if time == .seconds(120) { old.letGo() }
                let (counters, cut) = try await driver.drain("hello/production/1", port: nil, time)
                #expect(counters.requests == 1)
                if time == .seconds(120) {
                    #expect(cut == 0)
                    #expect(await slow.value?.body == "release=1 ")
                } else {
                    #expect(cut == 1)
                    #expect(await slow.value?.body != "release=1 ")
                }
            }
        }
    }

    @Test func whatItsConfigurationLacksIsSaid() async throws {
        try await with { proxy, driver, start in
            try await start()
            let live = try await Instance(release: 1)
            defer { live.stop() }
            try await driver.apply([SwapLoad.route(1, [live.port])])
            let other = RoutingTable.Route(
                identifier: "other/staging", hosts: [],
                upstream: .init(identifier: "other/staging/1", ports: [1]))
            let failure = await #expect(throws: Failure.self) {
                try await driver.apply([SwapLoad.route(1, [live.port]), other])
            }
            #expect(failure?.code == "proxy-config")
            #expect(failure?.message == "HAProxy has no backend 'kinto-other--staging'")
            // More instances than places: the live one stays.
            let many = await #expect(throws: Failure.self) {
                try await driver.apply([SwapLoad.route(2, (1...9).map { $0 })])
            }
            #expect(many?.message.contains("are all in use") == true)
            #expect(await proxy.get()?.body == "release=1 ")
            #expect(await driver.isInForce())
        }
    }

    @Test func aSocketWithoutRightsFailsTheSwap() async throws {
        try await with { proxy, driver, start in
            let text = try proxy.read("haproxy.cfg")
            try proxy.write(
                "haproxy.cfg", text.replacingOccurrences(of: "level admin", with: "level operator"))
            try await start()
            let failure = await #expect(throws: Failure.self) {
                try await driver.apply([SwapLoad.route(1, [1])])
            }
            #expect(failure?.code == "proxy-config")
            #expect(failure?.evidence.contains { $0.contains("Permission denied") } == true)
        }
    }

    @Test func aStoppedHAProxyFailsTheSwapAndAStartedOneIsToldAgain() async throws {
        try await with { proxy, driver, start in
            let live = try await Instance(release: 1)
            defer { live.stop() }
            let failure = await #expect(throws: Failure.self) {
                try await driver.apply([SwapLoad.route(1, [live.port])])
            }
            #expect(failure?.code == "proxy-unreachable")
            #expect(await driver.isInForce() == false)
            try await start()
            try await driver.apply([SwapLoad.route(1, [live.port])])
            #expect(await driver.isInForce())
            #expect(try await driver.status().name.hasPrefix("HAProxy "))
            // It forgets what it was told.
            proxy.stop()
            try await start()
            #expect(await driver.isInForce() == false)
            #expect(await proxy.get()?.status == 503)
            try await driver.apply([SwapLoad.route(1, [live.port])])
            #expect(await driver.isInForce())
            #expect(await proxy.get()?.body == "release=1 ")
        }
    }

    @Test func instancesComeAndGo() async throws {
        try await with { proxy, driver, start in
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
            try await driver.apply([.init(identifier: "hello/production", hosts: [])])
            #expect(await proxy.get()?.status == 503)
            #expect(await driver.isInForce())
        }
    }
}
