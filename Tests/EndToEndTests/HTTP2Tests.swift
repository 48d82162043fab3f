// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// HTTP/2 to visitors. They are curl and h2load, which are made by others.
@Suite(.timeLimit(.minutes(20)))
struct HTTP2Tests {
    @Test func requestsAndAnswersOfAllKinds() async throws {
        try await TLSServer.with { tls in
            try await tls.setUp()
            #expect(try await tls.curl("/", "-w", " %{http_version}").output == "release=1 2")
            let head = try await tls.curl(
                "/head", "-H", "X-Some: thing", "-b", "a=1; b=2", "-H", "TE: trailers"
            ).output
            #expect(head.hasPrefix("GET /head HTTP/1.1\n"), "\(head)")
            for line in [
                "Host: hello.localhost:\(tls.port)", "x-some: thing", "Cookie: a=1; b=2", "TE: trailers",
                "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: https", "Via: 1.1 kinto",
            ] {
                #expect(head.contains("\(line)\n"), "\(line) in \(head)")
            }
            let bodiless = try await tls.curl("/bytes/1600", "-I").output
            #expect(
                bodiless.hasPrefix("HTTP/2 200 \r\n") && bodiless.contains("content-length: 1600\r\n"),
                "\(bodiless)")
            #expect(try await tls.curl("/nothing", "-w", "%{http_code}").output == "204")
            #expect(try await tls.curl("/stream").output == "data: 0\n\ndata: 1\n\ndata: 2\n\n")
            // A body of known length, and one whose length is not told.
            let file = "\(tls.server.root)/upload"
            try Data((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }).write(
                to: URL(filePath: file))
            for options in [["--data-binary", "@\(file)"], ["-X", "POST", "-H", "Expect:", "-T", "-"]] {
                let copy = try await tls.server.run(
                    "/bin/sh",
                    [
                        "-c",
                        "cat \(file) | curl -sS --max-time 300 --cacert \(tls.server.root)/hello.localhost/fullchain.pem --resolve hello.localhost:\(tls.port):127.0.0.1 \(options.joined(separator: " ")) -o \(file).back https://hello.localhost:\(tls.port)/",
                    ])
                #expect(copy.status == 0, "\(copy.output)")
                #expect(
                    FileManager.default.contentsEqual(atPath: file, andPath: "\(file).back"), "\(options)")
                try? FileManager.default.removeItem(atPath: "\(file).back")
            }
            // Longer than any window or buffer, to one who reads slowly, too.
            for limit in [[], ["--limit-rate", "20M"]] as [[String]] {
                let long = try await tls.server.run(
                    "/bin/sh",
                    [
                        "-c",
                        "curl -sS --max-time 300 --cacert \(tls.server.root)/hello.localhost/fullchain.pem --resolve hello.localhost:\(tls.port):127.0.0.1 \(limit.joined(separator: " ")) https://hello.localhost:\(tls.port)/bytes/33554432 | md5sum",
                    ])
                #expect(long.output == "2c6da963315f16a8323aa3d81b488149  -\n", "\(long.output)")
            }
            // An answer that breaks off does not look whole.
            #expect(try await tls.curl("/break").status == 92)
        }
    }

    @Test func headsThatAreTooLargeAreAnsweredSo() async throws {
        try await TLSServer.with(["--proxy-limit", "header-bytes=8KiB"]) { tls in
            try await tls.setUp()
            for method in ["GET", "HEAD"] {
                let large = try await tls.curl(
                    "/", "-X", method, method == "HEAD" ? "-I" : "-i", "-H",
                    "X: \(String(repeating: "x", count: 10_000))")
                #expect(large.output.hasPrefix("HTTP/2 431"), "\(large.output)")
            }
            #expect(try await tls.curl().output == "release=1")
        }
    }

    @Test func manyRequestsAtATimeWhileReleasesAreSwapped() async throws {
        try await TLSServer.with { tls in
            try await tls.setUp()
            let load = Task { try await tls.load(requests: 4_000, connections: 4, streams: 16, rate: 30) }
            for number in 2...5 {
                let push = try await tls.server.push("release \(number)")
                #expect(push.output.contains("Release \(number) is live"), "\(push.output)")
            }
            let result = try await load.value
            #expect(result.contains(", 4000 succeeded, 0 failed, 0 errored, 0 timeout"), "\(result)")
            let releases = try await tls.server.releases("hello")
            for release in releases {
                let swap = release["swap"] as? [String: Any]
                #expect(swap?["failed"] as? Int ?? 0 == 0, "\(release)")
            }
        }
    }
}

extension TLSServer {
    /// What h2load says: `requests: N total, … succeeded, … failed`.
    /// - Parameter rate: of requests a second on each connection, so that it goes on for a while.
    func load(requests: Int, connections: Int, streams: Int, rate: Int) async throws -> String {
        try await server.run(
            "/usr/bin/h2load",
            [
                "-n", "\(requests)", "-c", "\(connections)", "-m", "\(streams)", "--rps", "\(rate)",
                "--connect-to", "127.0.0.1:\(port)", "https://hello.localhost:\(port)/",
            ]
        ).output
    }
}
