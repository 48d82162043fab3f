// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing

/// Certificates, and what is served with and without them. The visitors are curl and openssl.
@Suite(.timeLimit(.minutes(20)))
struct TLSTests {
    @Test func aServiceIsServedWithItsCertificate() async throws {
        try await TLSServer.with { tls in
            try await tls.setUp()
            #expect(try await tls.curl("/", "--http1.1").output == "release=1")
            let head = try await tls.curl("/head", "--http1.1").output
            #expect(head.contains("X-Forwarded-Proto: https\n"), "\(head)")
            #expect(head.contains(";proto=https\n"), "\(head)")
            // A body each way, more than one record long.
            let file = "\(tls.server.root)/upload"
            try Data((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }).write(
                to: URL(filePath: file))
            let copy = try await tls.curl("/", "--http1.1", "--data-binary", "@\(file)", "-o", "\(file).back")
            #expect(copy.status == 0, "\(copy.output)")
            #expect(FileManager.default.contentsEqual(atPath: file, andPath: "\(file).back"))
            let list = try await tls.server.json("certificate", "list", "--json") as? [[String: Any]]
            #expect(list?.first?["hosts"] as? [String] == ["hello.localhost"])
            #expect(list?.first?["daysLeft"] as? Int == 29)
            let status = try await tls.server.kinto("status").output
            #expect(status.contains("certificate hello.localhost: hello.localhost until 2"), "\(status)")
            let doctor = try await tls.server.kinto("doctor")
            #expect(doctor.status == 0, "\(doctor.output)")
            #expect(doctor.output.contains("certificate hello.localhost: hello.localhost, 29 days left"))
        }
    }

    @Test func visitorsWithoutTLSAreLedToItWhereThereIsACertificate() async throws {
        try await TLSServer.with { tls in
            try await tls.server.setUp()
            #expect(try await tls.server.push("first").output.contains("Release 1 is live"))
            #expect(try await tls.server.get("/a?b=c").status == 200)
            try await tls.certify("hello.localhost")
            let led = try await tls.server.run(
                "/usr/bin/curl",
                ["-sSi", "-H", "Host: hello.localhost", "http://127.0.0.1:\(tls.server.proxy)/a?b=c"])
            #expect(led.output.hasPrefix("HTTP/1.1 308 Permanent Redirect\r\n"), "\(led.output)")
            #expect(led.output.contains("\r\nLocation: https://hello.localhost:\(tls.port)/a?b=c\r\n"))
            #expect(try await tls.server.kinto("certificate", "remove", "hello.localhost").status == 0)
            #expect(try await tls.server.get("/a?b=c").status == 200)
        }
        try await TLSServer.with(["--no-https-redirect"]) { tls in
            try await tls.setUp()
            #expect(try await tls.server.get("/a?b=c").status == 200)
        }
    }

    @Test func proofsOfACMEClientsAreServedForAnyName() async throws {
        try await TLSServer.with { tls in
            try await tls.setUp()
            let folder = "\(tls.server.home)/acme/.well-known/acme-challenge"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try "proof".write(toFile: "\(folder)/abc-DEF_1", atomically: true, encoding: .utf8)
            let path = "/.well-known/acme-challenge/"
            // Also where everything else is led to TLS.
            let proof = try await tls.server.get("\(path)abc-DEF_1")
            #expect(proof.status == 200 && String(decoding: proof.body, as: UTF8.self) == "proof")
            #expect(try await tls.server.get("\(path)another").status == 308)
            for wrong in ["..%2f..%2fkinto.db", "%2e%2e", "..", "../../../token", ""] {
                #expect(try await tls.server.get(path + wrong).status != 200, "\(wrong)")
            }
        }
    }

    @Test func aCertificateThatIsRenewedIsShownToWhoComesThen() async throws {
        try await TLSServer.with(["--proxy-limit", "idle-time=10m"]) { tls in
            try await tls.setUp()
            // As certbot has it: a folder of links, which lead elsewhere after the renewal.
            let live = "\(tls.server.root)/live"
            try FileManager.default.createDirectory(atPath: live, withIntermediateDirectories: true)
            func renew(_ number: Int) async throws {
                let archive = try await tls.makeCertificate("archive\(number)", for: "hello.localhost")
                for name in ["privkey.pem", "fullchain.pem"] {
                    try? FileManager.default.removeItem(atPath: "\(live)/\(name)")
                    try FileManager.default.createSymbolicLink(
                        atPath: "\(live)/\(name)", withDestinationPath: "\(archive)/\(name)")
                }
            }
            try await renew(1)
            let added = try await tls.server.kinto("certificate", "add", "hello.localhost", "--folder", live)
            #expect(added.status == 0, "\(added.output)")
            let before = try await tls.serial()
            // A visitor that is there before and after.
            let visitor = try TLSVisitor(tls)
            #expect(try await visitor.ask() == "release=1")
            try await renew(2)
            try await tls.server.until { try await tls.serial() != before }
            #expect(try await visitor.ask() == "release=1")
            await visitor.end()
            // What is not whole leaves the one before it in force, and is told.
            let now = try await tls.serial()
            try "no key".write(toFile: "\(live)/privkey.pem", atomically: true, encoding: .utf8)
            try await tls.server.until { try await tls.server.kinto("doctor").status == 1 }
            #expect(try await tls.serial() == now)
            let doctor = try await tls.server.kinto("doctor").output
            #expect(
                doctor.contains("the new one is not used: the key file holds no private key"), "\(doctor)")
        }
    }

    @Test func certificatesThatCannotBeUsedAreRefusedByTheirReason() async throws {
        try await TLSServer.with { tls in
            try await tls.setUp()
            let other = try await tls.makeCertificate("other", for: "other.test")
            let own = "\(tls.server.root)/hello.localhost"
            let before = try await tls.serial()
            let locked = try await tls.server.run(
                "/usr/bin/openssl",
                [
                    "pkey", "-in", "\(own)/privkey.pem", "-aes256", "-passout", "pass:x", "-out",
                    "\(own)/locked.pem",
                ])
            #expect(locked.status == 0)
            for (chain, key, reason) in [
                (
                    "\(own)/fullchain.pem", "\(other)/privkey.pem",
                    "the key does not belong to the certificate"
                ),
                ("\(own)/privkey.pem", "\(own)/privkey.pem", "holds no certificate"),
                ("\(own)/fullchain.pem", "\(own)/fullchain.pem", "holds no private key"),
                ("\(own)/fullchain.pem", "\(own)/locked.pem", "the key wants a password"),
                ("\(own)/nothing", "\(own)/privkey.pem", "cannot be read"),
            ] {
                let refused = try await tls.server.kinto(
                    "certificate", "add", "hello.localhost", "--chain", chain, "--key", key)
                #expect(refused.status != 0, "\(refused.output)")
                #expect(refused.output.contains(reason), "\(refused.output)")
            }
            for name in ["../up", ".hidden", "a/b", "", "A"] {
                let refused = try await tls.server.kinto(
                    "certificate", "add", name, "--chain", "\(own)/fullchain.pem", "--key",
                    "\(own)/privkey.pem")
                #expect(refused.status != 0, "\(name): \(refused.output)")
            }
            #expect(try await tls.serial() == before)
            #expect(try await tls.curl().output == "release=1")
        }
        try await Server.with { server in
            let refused = try await server.kinto("certificate", "add", "a", "--folder", "/tmp")
            #expect(refused.output.contains("kinto serve --proxy-tls-listen"), "\(refused.output)")
        }
    }

    @Test func namesAndVersionsThatAreNotServedEndTheHandshake() async throws {
        try await TLSServer.with { tls in
            try await tls.setUp()
            try await tls.certify("second.test")
            #expect(try await tls.serial() != tls.serial("second.test"))
            let unknown = try await tls.server.run(
                "/usr/bin/curl",
                ["-sSk", "--resolve", "x.test:\(tls.port):127.0.0.1", "https://x.test:\(tls.port)/"])
            #expect(unknown.status == 35 && unknown.output.contains("unrecognized name"), "\(unknown.output)")
            for (options, isServed) in [
                ("-tls1_1 -cipher DEFAULT@SECLEVEL=0", false), ("-tls1_2", true), ("-tls1_3", true),
                ("-tls1_2 -cipher AES128-SHA", false), ("-alpn http/1.1", true), ("-alpn h2", true),
                ("-alpn spdy/1", false),
            ] {
                let shown = try await tls.server.run(
                    "/bin/sh",
                    [
                        "-c",
                        "openssl s_client -connect 127.0.0.1:\(tls.port) -servername hello.localhost \(options) </dev/null",
                    ])
                #expect((shown.status == 0) == isServed, "\(options): \(shown.output)")
            }
            let plain = try await HTTPClient.send(
                .init(url: "http://127.0.0.1:\(tls.port)/", timeout: 60_000))
            #expect(plain.status == 400)
            #expect(String(decoding: plain.body, as: UTF8.self).contains("this port speaks HTTPS"))
        }
    }

    @Test func theProxyIsReplacedWithItsTLSSocket() async throws {
        try await TLSServer.with { tls in
            try await tls.setUp()
            let visitor = try TLSVisitor(tls)
            #expect(try await visitor.ask() == "release=1")
            let before = try await tls.server.proxyStatus()
            // curl goes on with a new connection when it is told that the one it has comes to its end.
            let visitors = (0..<4).map { number in
                Task {
                    try await tls.server.run(
                        "/usr/bin/curl",
                        [
                            "-sS", "--fail", "--max-time", "300", "--rate", "100/s", "--cacert",
                            "\(tls.server.root)/hello.localhost/fullchain.pem", "--connect-to",
                            "::127.0.0.1:\(tls.port)", number % 2 == 0 ? "--http2" : "--http1.1", "-w",
                            " %{http_code}\n",
                            "https://hello.localhost/?[1-250]",
                        ])
                }
            }
            for _ in 0..<5 {
                let restarted = try await tls.server.kinto("proxy", "restart", "--drain", "10s")
                #expect(restarted.status == 0, "\(restarted.output)")
                try await Task.sleep(for: .milliseconds(300))
            }
            let after = try await tls.server.proxyStatus()
            #expect(after["pid"] as? Int != before["pid"] as? Int)
            #expect(after["tlsListen"] as? String == "127.0.0.1:\(tls.port)")
            #expect(try await tls.curl().output == "release=1")
            await visitor.end()
            for visitor in visitors {
                let result = try await visitor.value
                let lines = result.output.split(separator: "\n")
                #expect(
                    result.status == 0 && lines.count == 250 && lines.allSatisfy { $0 == "release=1 200" },
                    "\(result)")
            }
            // Without TLS from here on.
            _ = tls.server.stop()
            try await tls.server.serve()
        }
    }
}

/// A connection of HTTP/1.1 over TLS that is kept: openssl, which asks when it is told to.
final class TLSVisitor: Sendable {
    private let process: Process
    private let input: FileHandle
    private let output: FileHandle

    init(_ tls: TLSServer) throws {
        process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.arguments = [
            "s_client", "-connect", "127.0.0.1:\(tls.port)", "-servername", "hello.localhost", "-quiet",
            "-verify_quiet",
        ]
        let (to, from) = (Pipe(), Pipe())
        process.standardInput = to
        process.standardOutput = from
        process.standardError = FileHandle.nullDevice
        try process.run()
        input = to.fileHandleForWriting
        output = from.fileHandleForReading
    }

    /// The body of the answer.
    func ask() async throws -> String {
        try input.write(contentsOf: Data("GET / HTTP/1.1\r\nHost: hello.localhost\r\n\r\n".utf8))
        let output = output
        return await onThread {
            var text = ""
            while true {
                if let end = text.range(of: "\r\n\r\n"), text[end.upperBound...].hasPrefix("release=1") {
                    return String(text[end.upperBound...])
                }
                let part = output.availableData
                guard !part.isEmpty else { return text }
                text += String(decoding: part, as: UTF8.self)
            }
        }
    }

    func end() async {
        try? input.close()
        kill(process.processIdentifier, SIGKILL)
        let process = process
        await onThread { process.waitUntilExit() }
    }
}
