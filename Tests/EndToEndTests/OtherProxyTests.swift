// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing
import Wire

/// `kinto serve --proxy …`: somebody else's program stands before the services.
@Suite(.serialized, .timeLimit(.minutes(5)))
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
            poll(&event, 1, 5_000)
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
                    "kinto.json", #"{"start":"python3 server.py","port":\#(try Server.freePort())}"#)
                try await server.push("fifth")
                seen = try await failure(server)
                #expect(seen.code == "proxy-setting" && seen.stage == "fetch")
            }
        }
    }
}
