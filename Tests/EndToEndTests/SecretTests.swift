// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing

/// Secrets from the command that sets them to the process that reads them, and nowhere else.
@Suite(.serialized, .timeLimit(.minutes(20)))
struct SecretTests {
    private static let canary = #"c4n4ry/Secret+with"quotes"&a space"#
    private static let key =
        "-----BEGIN KEY-----\nc4n4ryPEMline1ABCDEFGH\nc4n4ryPEMline2IJKLMNOP\n-----END KEY-----\n"

    /// Scenario 50: canaries in twelve forms, split over writes and in a stack trace.
    @Test func aSecretReachesTheProcessesAndNothingElse() async throws {
        try await Server.with { server in
            try await server.setUp(
                #"{"start":"python3 print.py; exec python3 server.py","probe":{"path":"/"},"build":{"command":"python3 print.py; env > /dev/null"},"release":{"command":"python3 print.py"}}"#
            )
            try server.write("print.py", SecretTests.printer)
            try SecretTests.key.write(toFile: "\(server.root)/key.pem", atomically: true, encoding: .utf8)
            try SecretTests.canary.write(toFile: "\(server.root)/value", atomically: true, encoding: .utf8)
            try await server.shell(
                "\(server.bin)/kinto config hello set --secret TOKEN --home \(server.home) < \(server.root)/value"
            )
            #expect(
                try await server.kinto("config", "hello", "set", "--secret", "KEY=@\(server.root)/key.pem")
                    .status == 0)
            #expect(try await server.kinto("config", "hello", "set", "LEVEL=debugging").status == 0)
            let push = try await server.push("first")
            #expect(push.output.contains("is live"), "\(push.output)")
            #expect(push.output.contains("[redacted]"))
            #expect(push.output.contains("token has 34 bytes"), "\(push.output)")
            try await server.until {
                try await server.kinto("logs", "hello", "--console").output.contains("token has 34 bytes")
            }
            var shown = push.output
            shown += try await server.kinto("logs", "hello", "--build").output
            shown += try await server.kinto("logs", "hello", "--console", "-n", "1000").output
            shown += try await server.kinto("logs", "hello", "--json").output
            shown += try await server.kinto("status", "--json").output
            shown += try await server.kinto("releases", "hello", "--json").output
            shown += try await server.kinto("config", "hello", "list", "--json").output
            for line in SecretTests.parts { #expect(!shown.contains(line), "\(line) in \(shown)") }
            #expect(
                try await server.kinto("config", "hello", "list").output
                    == "KEY=********\nLEVEL=debugging\nTOKEN=********\n")
            #expect(
                try await server.kinto("config", "hello", "list", "--reveal").output.contains(
                    "TOKEN=\(SecretTests.canary)\n"))
            try SecretTests.expectNowhere(in: server.home)
            try SecretTests.expectInNoArguments()
            // A rollback keeps the configuration it had.
            #expect(
                try await server.kinto("config", "hello", "set", "--secret", "TOKEN=another-value").status
                    == 0)
            #expect(try await server.kinto("rollback", "hello").output.contains("configuration ~ TOKEN"))
            try SecretTests.expectNowhere(in: server.home)
        }
    }

    @Test func secretsAreShownOnlyOnTheServerItself() async throws {
        try await Server.with { server in
            try await server.setUp()
            #expect(
                try await server.kinto("config", "hello", "set", "--secret", "TOKEN=a-secret-value").status
                    == 0)
            #expect(try await server.kinto("config", "hello", "set", "--secret", "PIN=12345").status == 2)
            let pasted = try await server.kinto("config", "hello", "set", "PASTED=…")
            #expect(
                pasted.status != 0 && pasted.output.contains("'…' stands for the value"), "\(pasted.output)")
            // A key without quotes: none of it is told.
            for text in ["KEY=-----BEGIN KEY-----\nMIIEmaterial=abcdefgh\n", "A=1\nMIIEmaterial\n"] {
                let file = "\(server.root)/keys.env"
                try text.write(toFile: file, atomically: true, encoding: .utf8)
                let imported = try await server.kinto("config", "hello", "import", file, "--secret")
                #expect(imported.status == 2 && !imported.output.contains("MIIE"), "\(imported.output)")
                #expect(imported.output.contains("quote what has several lines"), "\(imported.output)")
            }
            let token = try String(contentsOfFile: "\(server.home)/token", encoding: .utf8).dropLast()
            func get(_ query: String) async throws -> (Int, String) {
                let answer = try await HTTPClient.send(
                    .init(
                        url: "http://127.0.0.1:\(server.listen)/api/v1/services/hello/config\(query)",
                        headers: ["Authorization: Bearer \(token)"], timeout: 60_000))
                return (answer.status, String(decoding: answer.body, as: UTF8.self))
            }
            #expect(try await get("") == (200, #"{"variables":[{"name":"TOKEN","secret":true}]}"#))
            let refused = try await get("?reveal=1")
            #expect(refused.0 == 403)
            #expect(refused.1.contains("local-only"))
            #expect(try await server.kinto("secret-key", "rotate").status == 0)
            #expect(
                try await server.kinto("config", "hello", "list", "--reveal").output
                    == "TOKEN=a-secret-value\n")
        }
    }

    /// Scenario 50: in what git says.
    @Test func aTokenInARepositoryAddressIsNotShown() async throws {
        try await Server.with { server in
            let port = try FreePort.take()
            let address = "http://ghp-c4n4ry-token@127.0.0.1:\(port)/a.git"
            var shown = try await server.kinto("service", "add", "hello", "--repo", address).output
            shown += try await server.kinto("deploy", "hello").output
            #expect(shown.contains("http://[redacted]@127.0.0.1:\(port)/a.git"), "\(shown)")
            shown += try await server.kinto("status", "--json").output
            shown += try await server.kinto("service", "list").output
            shown += try await server.kinto("why", "hello").output
            shown += try await server.kinto("releases", "hello", "--json").output
            shown += try await server.kinto("logs", "hello", "--build").output
            #expect(!shown.contains("c4n4ry"), "\(shown)")
            let with = try await server.kinto(
                "service", "add", "other", "--repo", "https://bob:c4n4ry@example.com/a.git")
            #expect(with.status == 3)
            #expect(!with.output.contains("c4n4ry"))
        }
    }

    @Test func thePageOfAnErrorIsNoWayForASecret() async throws {
        try await Server.with { server in
            try await server.setUp()
            try server.write(
                "fail.py",
                """
                import os
                from http.server import BaseHTTPRequestHandler, HTTPServer
                class Handler(BaseHTTPRequestHandler):
                    def do_GET(self):
                        self.send_response(500)
                        self.end_headers()
                        self.wfile.write(("TOKEN is " + os.environ["TOKEN"]).encode())
                HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
                """)
            try await server.kinto("config", "hello", "set", "--secret", "TOKEN=c4n4ry-of-a-page")
            var shown = try await server.push("first", failing: "probe-status") {
                #"{"start":"exec python3 fail.py","probe":{"path":"/","deadline":"\#($0)"}}"#
            }.output
            shown += try await server.kinto("why", "hello").output
            shown += try await server.kinto("releases", "hello", "--json").output
            #expect(shown.contains("TOKEN is [redacted]"), "\(shown)")
            #expect(!shown.contains("c4n4ry"), "\(shown)")
        }
    }

    @Test func aServerWhoseKeyIsGoneRefusesToStart() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.kinto("config", "hello", "set", "--secret", "TOKEN=a-secret-value")
            _ = server.stop()
            let key = "\(server.home)/secret.key"
            try FileManager.default.moveItem(atPath: key, toPath: key + ".away")
            let refused = try await server.kinto(
                "serve", "--listen", "127.0.0.1:\(server.listen)", "--proxy-listen",
                "127.0.0.1:\(server.proxy)")
            #expect(refused.status == 3)
            #expect(refused.output.contains("secret.key is missing"), "\(refused.output)")
            #expect(!FileManager.default.fileExists(atPath: key))
            try FileManager.default.moveItem(atPath: key + ".away", toPath: key)
            try await server.serve()
        }
    }

    @Test func theDoctorLooksAtTheKeyFile() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.kinto("config", "hello", "set", "--secret", "TOKEN=a-secret-value")
            func finding() async throws -> String {
                let said = try await server.kinto("doctor").output.split(separator: "\n").map(String.init)
                let at = try #require(said.firstIndex { $0.contains("secret key") }, "\(said)")
                return said[at...].prefix(2).filter { $0.contains("secret key") || $0.contains("→") }.joined(
                    separator: "\n")
            }
            let (key, files) = ("\(server.home)/secret.key", FileManager.default)
            let well = try await finding()
            // The variable and the service's webhook secret.
            #expect(well.contains("opens all 2 values"), "\(well)")
            chmod(key, 0o644)
            var told = try await finding()
            #expect(told.contains("is open to other users (mode 644)"), "\(told)")
            #expect(told.contains("chmod 600 \(key)"), "\(told)")
            chmod(key, 0o600)
            if geteuid() == 0 {
                #expect(chown(key, 65_534, 65_534) == 0)
                told = try await finding()
                #expect(told.contains("belongs to another user"), "\(told)")
                #expect(chown(key, 0, 0) == 0)
            }
            try files.moveItem(atPath: key, toPath: key + ".away")
            told = try await finding()
            #expect(told.contains("is missing; the server goes on"), "\(told)")
            try "kinto-secret-key-1 \(Data(count: 32).base64EncodedString())\n".write(
                toFile: key, atomically: true, encoding: .utf8)
            chmod(key, 0o600)
            told = try await finding()
            #expect(told.contains("not the one that the database is sealed with"), "\(told)")
            _ = try files.removeItem(atPath: key)
            try files.moveItem(atPath: key + ".away", toPath: key)
            #expect(try await finding() == well)
        }
    }

    private static let parts = [
        "Secret+with", "Secret%2Bwith", "Secret%2bwith", "PEMline1", "PEMline2", "TZWNyZXQrd2l0a",
        "U2VjcmV0K3dpdG",
        "NlY3JldCt3aXRo", "5365637265742b77697468",
    ]

    private static let printer = """
        import os, base64, json, urllib.parse, sys, time, shlex
        token = os.environ.get("TOKEN", "")
        for text in (token, os.environ.get("KEY", "")):
            data = text.encode()
            print(text)
            for before in range(3):
                print(base64.b64encode(b"x" * before + data).decode())
                print(base64.urlsafe_b64encode(b"x" * before + data).decode())
            print(base64.encodebytes(b"some text before it, so that lines end inside: " + data).decode())
            print(urllib.parse.quote(text, safe=""), urllib.parse.quote(text), urllib.parse.quote_plus(text))
            print(json.dumps({"value": text}), data.hex(), data.hex().upper(), shlex.quote(text))
            sys.stdout.flush()
            for start in range(0, len(data), 7):
                sys.stdout.buffer.write(data[start:start + 7])
                sys.stdout.flush()
                time.sleep(0.01)
            print()
        print("token has", len(token.encode()), "bytes", flush=True)
        try:
            raise RuntimeError("cannot connect with " + token)
        except RuntimeError:
            import traceback
            traceback.print_exc()
        """

    /// Every file under the home but the repositories, which people fill.
    private static func expectNowhere(in home: String) throws {
        let canaries = ["c4n4ry", "PEMline", "Secret+with"].map { Data($0.utf8) }
        for case let name as String in FileManager.default.enumerator(atPath: home) ?? .init() {
            guard let data = FileManager.default.contents(atPath: "\(home)/\(name)") else { continue }
            for canary in canaries { #expect(data.firstRange(of: canary) == nil, "\(name)") }
        }
    }

    private static func expectInNoArguments() throws {
        for entry in try FileManager.default.contentsOfDirectory(atPath: "/proc") where Int32(entry) != nil {
            guard let line = FileManager.default.contents(atPath: "/proc/\(entry)/cmdline"),
                line.firstRange(of: Data("kinto".utf8)) != nil
            else { continue }
            #expect(line.firstRange(of: Data("c4n4ry".utf8)) == nil)
        }
    }
}
