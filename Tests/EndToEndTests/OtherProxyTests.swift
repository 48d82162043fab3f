// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import Synchronization
import TestSupport
import Testing
import Wire

/// `kinto serve --proxy …`: somebody else's program stands before the services.
@Suite(.serialized, .timeLimit(.minutes(20)))
struct OtherProxyTests {
    /// nginx as somebody runs it, in a directory of its own.
    private struct Nginx {
        let directory: String
        var options: [String] {
            [
                "--proxy", "nginx", "--nginx-file", "\(directory)/kinto/kinto.conf", "--nginx-command",
                "nginx -c \(directory)/nginx.conf", "--nginx-pid-file", "\(directory)/nginx.pid",
            ]
        }

        func configure(port: UInt16) throws {
            let text = """
                worker_processes 2; pid \(directory)/nginx.pid; error_log \(directory)/error.log;
                \(getuid() == 0 ? "user root;" : "")
                events {}
                http {
                    access_log off; client_body_temp_path \(directory)/t1; proxy_temp_path \(directory)/t2;
                    fastcgi_temp_path \(directory)/t3; uwsgi_temp_path \(directory)/t4; scgi_temp_path \(directory)/t5;
                    include \(directory)/kinto/kinto.conf;
                    include \(directory)/others*.conf;
                    server { listen 127.0.0.1:\(port); location / { proxy_pass http://$kinto_upstream; } }
                }
                """
            try text.write(toFile: "\(directory)/nginx.conf", atomically: true, encoding: .utf8)
        }

        /// It puts itself into the background.
        func start() throws {
            let pid = try Spawn(
                path: "/usr/sbin/nginx", arguments: ["nginx", "-c", "\(directory)/nginx.conf"],
                environment: ["PATH=/usr/bin:/bin"]
            ).start()
            var status: Int32 = 0
            waitpid(pid, &status, 0)
            #expect(status == 0)
        }

        var master: ProcessIdentity? {
            (try? String(contentsOfFile: "\(directory)/nginx.pid", encoding: .utf8))
                .flatMap { Int32($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
                .flatMap { ProcessIdentity(running: $0) }
        }

        func stop() {
            guard let master else { return }
            let life = master.open()
            master.send(SIGTERM)
            var event = pollfd(fd: life?.raw ?? -1, events: Int16(POLLIN), revents: 0)
            poll(&event, 1, 180_000)
        }
    }

    private func failure(_ server: Server) async throws -> (code: String?, stage: String?, evidence: [String])
    {
        let failure = try await server.releases("hello").first?["failure"] as? [String: Any]
        return (
            failure?["code"] as? String, failure?["stage"] as? String, failure?["evidence"] as? [String] ?? []
        )
    }

    private func proxyName(_ server: Server) async throws -> String? {
        let status = try await server.json("status", "--json") as? [String: Any]
        return (status?["proxy"] as? [String: Any])?["name"] as? String
    }

    private func answer(_ server: Server) async -> String? {
        (try? await server.get()).map { String(decoding: $0.body, as: UTF8.self) }
    }

    @Test func deploysGoThroughAnNginxThatIsThereAlready() async throws {
        try await TemporaryDirectory.with { directory in
            let nginx = Nginx(directory: directory)
            defer { nginx.stop() }
            try await Server.with(nginx.options, prepare: { try nginx.configure(port: $0.proxy) }) { server in
                try await server.setUp()
                // It is not there yet.
                #expect(try await proxyName(server) == nil)
                try await server.push("first")
                var seen = try await failure(server)
                #expect(seen.code == "proxy-unreachable" && seen.stage == "swap")

                try nginx.start()
                try await server.until { try await self.proxyName(server)?.hasPrefix("nginx 1.") == true }
                #expect(try await server.push("second").output.contains("Release 2 is live"))
                #expect(await answer(server)?.hasPrefix("release=2 ") == true)

                // Somebody breaks another file.
                try "server { listn 1; }".write(
                    toFile: "\(directory)/others.conf", atomically: true, encoding: .utf8)
                let refused = try await server.push("third")
                #expect(refused.output.contains("unknown directive \"listn\""))
                seen = try await failure(server)
                #expect(seen.code == "proxy-config" && seen.stage == "swap")
                #expect(await answer(server)?.hasPrefix("release=2 ") == true)
                try FileManager.default.removeItem(atPath: "\(directory)/others.conf")

                // The server comes and goes, and so does nginx.
                _ = server.stop()
                #expect(await answer(server)?.hasPrefix("release=2 ") == true)
                try await server.serve()
                try await server.push("fourth")
                #expect(await answer(server)?.hasPrefix("release=4 ") == true)
                nginx.stop()
                try nginx.start()
                #expect(await answer(server)?.hasPrefix("release=4 ") == true)
                #expect(try await server.kinto("rollback", "hello").status == 0)
                try await server.until { await self.answer(server)?.hasPrefix("release=4 ") == false }

                // What only kinto's own proxy can do.
                let paused = try await server.kinto("pause", "hello")
                #expect(paused.status != 0 && paused.output.contains("'pause' needs kinto's own proxy"))
                try server.write(
                    "kinto.json", #"{"start":"python3 server.py","port":\#(try FreePort.take())}"#)
                try await server.push("fifth")
                seen = try await failure(server)
                #expect(seen.code == "proxy-setting" && seen.stage == "fetch")
            }
        }
    }

    @Test func aRestartedHAProxyIsToldAgain() async throws {
        try await TemporaryDirectory.with { directory in
            let socket = "\(directory)/kinto.sock"
            let haproxy = Background("/usr/sbin/haproxy", ["-W", "-f", "\(directory)/haproxy.cfg"])
            defer { haproxy.stop() }
            try await Server.with(
                ["--proxy", "haproxy", "--haproxy-socket", socket],
                prepare: { server in
                    let text = """
                        global
                            stats socket \(socket) mode 660 level admin
                        defaults
                            mode http
                            timeout connect 5s
                            timeout client 60s
                            timeout server 60s
                        listen kinto-hello
                            bind 127.0.0.1:\(server.proxy)
                            server-template kinto 4 127.0.0.1:1 disabled

                        """
                    try text.write(toFile: "\(directory)/haproxy.cfg", atomically: true, encoding: .utf8)
                    try haproxy.start()
                }
            ) { server in
                try await server.setUp()
                try await server.until { try await self.proxyName(server)?.hasPrefix("HAProxy ") == true }
                try await server.push("first")
                #expect(await answer(server)?.hasPrefix("release=1 ") == true)
                haproxy.stop()
                try haproxy.start()
                try await server.until { await self.answer(server)?.hasPrefix("release=1 ") == true }
                // What it did is in its log a moment later.
                try await server.until {
                    try String(contentsOfFile: "\(server.root)/serve.log", encoding: .utf8).contains(
                        "the routes are in force again")
                }
                // HAProxy's own counts make the receipt.
                for _ in 0..<5 { _ = await answer(server) }
                try await server.push("second")
                #expect(await answer(server)?.hasPrefix("release=2 ") == true)
                let receipt = try await server.releases("hello").first?["swap"] as? [String: Any]
                #expect(receipt?["failed"] as? Int == 0)
                #expect(receipt?["cut"] as? Int == 0)
                #expect(
                    try await server.kinto("proxy", "restart").output.contains("this server uses HAProxy"))
            }
        }
    }
}

/// A program that stays in the foreground, as somebody else would run it.
private final class Background: Sendable {
    private let path: String
    private let arguments: [String]
    private let pid = Mutex<Int32>(0)

    init(_ path: String, _ arguments: [String]) {
        self.path = path
        self.arguments = arguments
    }

    func start() throws {
        let started = try Spawn(
            path: path, arguments: [path] + arguments, environment: ["PATH=/usr/bin:/bin"], newSession: true
        ).start()
        pid.withLock { $0 = started }
    }

    /// With its children, at once.
    func stop() {
        let old = pid.withLock { pid in
            defer { pid = 0 }
            return pid
        }
        guard old > 0 else { return }
        kill(-old, SIGKILL)
        var status: Int32 = 0
        waitpid(old, &status, 0)
    }
}
