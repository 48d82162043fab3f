// SPDX-License-Identifier: Apache-2.0
import Foundation
import KintoCore
import TestSupport
import Testing
import Wire

@testable import Rollout

/// The real nginx, with the configuration that docs/proxies.md shows.
@Suite(.serialized, .timeLimit(.minutes(20)))
struct NginxTests {
    private func with(
        _ body: (RealProxy, NginxDriver, _ start: () async throws -> Void) async throws -> Void
    ) async throws {
        try await TemporaryDirectory.with { directory in
            let proxy = try RealProxy(directory)
            defer { proxy.stop(SIGQUIT) }
            let shown = try RealProxy.documented(
                "nginx",
                [
                    "listen 80;": "listen 127.0.0.1:\(proxy.port);",
                    "/var/lib/kinto/nginx/kinto.conf": "\(directory)/kinto/kinto.conf",
                ])
            try proxy.write(
                "nginx.conf",
                """
                worker_processes 2; pid \(directory)/nginx.pid; error_log \(directory)/error.log; daemon off;
                \(getuid() == 0 ? "user root;" : "")
                events { worker_connections 1024; }
                http {
                access_log off; client_body_temp_path \(directory)/t1; proxy_temp_path \(directory)/t2;
                fastcgi_temp_path \(directory)/t3; uwsgi_temp_path \(directory)/t4; scgi_temp_path \(directory)/t5;
                \(shown)
                include \(directory)/others*.conf;
                }
                """)
            let driver = NginxDriver(
                file: "\(directory)/kinto/kinto.conf", command: "nginx -c \(directory)/nginx.conf",
                pidFile: "\(directory)/nginx.pid")
            try await body(proxy, driver) {
                try await proxy.start("/usr/sbin/nginx", ["-c", "\(directory)/nginx.conf"])
                // It listens before it writes that.
                try await until("nginx has written its pid") {
                    (try? proxy.read("nginx.pid"))?.hasSuffix("\n") == true
                }
            }
        }
    }

    @Test func swapsLoseNoAnswer() async throws {
        try await with { proxy, driver, start in
            try await driver.prepare([])
            try await start()
            let report = try await SwapLoad.run(proxy, driver)
            // A reload closes connections that rest; a request may be on its way on one. Nothing else is lost.
            #expect(report.kinds.keys.allSatisfy { $0 == "stale" }, "\(report.firstFailures)")
            #expect(report.failed <= SwapLoad.swaps * SwapLoad.connections, "\(report.firstFailures)")
            #expect(report.requests > 0)
            #expect(Set(report.releases.map(\.release)) == Set(1...(SwapLoad.swaps + 1)))
        }
    }

    @Test func theDrainIsTheEndOfTheOldWorkers() async throws {
        try await with { proxy, driver, start in
            try await driver.prepare([])
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
            // Its connection to the instance still stands when the time is over.
            let early = try await driver.drain("hello/production/1", port: nil, TimeSpan(milliseconds: 50))
            #expect(early.cut == 1)
            old.letGo()
            let whole = try await driver.drain("hello/production/1", port: nil, .seconds(120))
            #expect(whole.cut == 0)
            #expect(await slow.value?.body == "release=1 ")
        }
    }

    @Test func anothersBrokenFileFailsTheSwapAndChangesNothing() async throws {
        try await with { proxy, driver, start in
            try await driver.prepare([])
            try await start()
            let (old, new) = (try await Instance(release: 1), try await Instance(release: 2))
            defer { new.stop() }
            defer { old.stop() }
            try await driver.apply([SwapLoad.route(1, [old.port])])
            let before = try proxy.read("kinto/kinto.conf")
            try proxy.write("others.conf", "server { listn 1; }\n")
            let configuration = try proxy.read("nginx.conf")
            let failure = await #expect(throws: Failure.self) {
                try await driver.apply([SwapLoad.route(2, [new.port])])
            }
            #expect(failure?.code == "proxy-config")
            #expect(failure?.evidence.contains { $0.contains("unknown directive \"listn\"") } == true)
            #expect(try proxy.read("kinto/kinto.conf") == before)
            #expect(try proxy.read("others.conf") == "server { listn 1; }\n")
            #expect(try proxy.read("nginx.conf") == configuration)
            #expect(await proxy.get()?.body == "release=1 ")
            // Mended, it goes on.
            try proxy.write("others.conf", "")
            try await driver.apply([SwapLoad.route(2, [new.port])])
            #expect(await proxy.get()?.body == "release=2 ")
        }
    }

    @Test func aStoppedNginxFailsTheSwap() async throws {
        try await with { proxy, driver, start in
            try await driver.prepare([SwapLoad.route(1, [1])])
            let before = try proxy.read("kinto/kinto.conf")
            let failure = await #expect(throws: Failure.self) {
                try await driver.apply([SwapLoad.route(2, [2])])
            }
            #expect(failure?.code == "proxy-unreachable")
            #expect(try proxy.read("kinto/kinto.conf") == before)
            #expect(await driver.isInForce() == false)
            await #expect(throws: Failure.self) { try await driver.status() }
            try await start()
            try await driver.apply([SwapLoad.route(2, [2])])
            #expect(await driver.isInForce())
            #expect(try await driver.status().name.hasPrefix("nginx 1."))
        }
    }

    @Test func aFileThatNginxDoesNotReadIsNoticed() async throws {
        try await with { proxy, driver, start in
            try await driver.prepare([])
            try await start()
            let elsewhere = NginxDriver(
                file: "\(proxy.directory)/other/kinto.conf",
                command: "nginx -c \(proxy.directory)/nginx.conf", pidFile: "\(proxy.directory)/nginx.pid")
            try await elsewhere.prepare([])
            let failure = await #expect(throws: Failure.self) {
                try await elsewhere.apply([SwapLoad.route(1, [1])])
            }
            #expect(
                failure?.hints.first?.text.contains("include \(proxy.directory)/other/kinto.conf;") == true)
        }
    }

    @Test func hostsInstancesAndWhatIsNotLive() async throws {
        try await with { proxy, driver, start in
            try await driver.prepare([])
            try await start()
            let (one, two) = (try await Instance(release: 1), try await Instance(release: 2))
            defer { two.stop() }
            defer { one.stop() }
            try await driver.apply([
                SwapLoad.route(
                    1, [one.port, two.port],
                    // Names that mean something else to nginx are names all the same.
                    hosts: [
                        "hello.localhost", "www.example.com", "include", "default", "hostnames", "volatile",
                    ]),
                .init(identifier: "idle/staging", hosts: ["idle--staging.localhost", "WWW.example.com"]),
            ])
            for name in ["include", "default", "hostnames", "volatile"] {
                #expect(await proxy.get(host: name)?.status == 200)
            }
            var seen: Set<String> = []
            for _ in 0..<20 { seen.insert(await proxy.get(host: "www.example.com")?.body ?? "") }
            #expect(seen == ["release=1 ", "release=2 "])
            #expect(await proxy.get(host: "idle--staging.localhost")?.status == 502)
            #expect(await proxy.get(host: "unknown.example.com")?.status == 404)
        }
    }

    @Test func whatOnlyKintosProxyDoesIsRefusedByName() {
        let driver = NginxDriver(file: "/nowhere", command: "false", pidFile: "/nowhere")
        let refused = #expect(throws: Failure.self) {
            try driver.check(.init(identifier: "hello/production", hosts: [], port: 3000))
        }
        #expect(refused?.code == "proxy-setting")
        #expect(refused?.message.contains("'port' (3000)") == true)
        #expect(throws: Failure.self) { try driver.check(RoutePolicy(paused: true)) }
        #expect(throws: Failure.self) { try driver.check(RoutePolicy(maintenance: Maintenance())) }
        #expect(throws: Never.self) { try driver.check(SwapLoad.route(1, [1])) }
    }
}
