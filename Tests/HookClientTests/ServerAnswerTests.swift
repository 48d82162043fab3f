// SPDX-License-Identifier: Apache-2.0
import Glibc
import TestSupport
import Testing
import Wire

/// The program that git runs, with a server that answers this or that.
@Suite(.timeLimit(.minutes(20)))
struct ServerAnswerTests {
    /// Runs the hook against a server that reads one request and sends `answer`.
    private func exchange(
        _ kind: String, answer: String, environment: [String: String] = [:],
        _ body: (_ home: String, _ request: String, _ status: Int32, _ output: String) async throws -> Void
    ) async throws {
        try await TemporaryDirectory.with { home in
            let listener = try UnixSocket.listen("\(home)/kinto.sock")
            let hook = try HookProcess(kind, input: Self.update, home: home, environment: environment)
            let request = try await Self.accept(listener) { connection, _ in
                _ = try? connection.writeAll(Array(answer.utf8))
            }
            let (status, output) = try await hook.ended()
            try await body(home, request, status, output)
        }
    }

    private static let update = Array(
        "0000000000000000000000000000000000000000 1111111111111111111111111111111111111111 refs/heads/main\n"
            .utf8)

    /// One connection: the request whole, then what `answer` does, then closed.
    private static func accept(
        _ listener: Descriptor, _ answer: @escaping @Sendable (Descriptor, String) -> Void
    ) async throws -> String {
        try await onThread {
            Result {
                var poller = pollfd(fd: listener.raw, events: Int16(POLLIN), revents: 0)
                guard poll(&poller, 1, 180_000) == 1 else { throw Trouble("nobody connected") }
                let connection = Descriptor(
                    owning: try check("accept") { Glibc.accept(listener.raw, nil, nil) })
                var bytes: [UInt8] = []
                var wanted = Int.max
                while bytes.count < wanted {
                    var buffer = [UInt8](repeating: 0, count: 65536)
                    let count = try check("read") { read(connection.raw, &buffer, buffer.count) }
                    if count == 0 { break }
                    bytes += buffer[..<count]
                    let text = String(decoding: bytes, as: UTF8.self)
                    if let head = text.firstRange(of: "\r\n\r\n"),
                        let length = text.firstMatch(of: /Content-Length: (\d+)/).flatMap({ Int($0.1) })
                    {
                        wanted = text.utf8.distance(from: text.startIndex, to: head.upperBound) + length
                    }
                }
                let request = String(decoding: bytes, as: UTF8.self)
                answer(connection, request)
                return request
            }
        }.get()
    }

    private func spooled(_ home: String) -> [String] {
        ((try? Files.list("\(home)/spool")) ?? []).filter { $0.hasSuffix(".trigger") }
    }

    private static let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    @Test func anAcceptedPushIsFollowed() async throws {
        let answer = Self.chunked + "6\r\none\r\n\n\r\n4;x=y\r\ntwo\n\r\n0\r\n\r\n"
        try await exchange(
            "post-receive", answer: answer,
            environment: [
                "GIT_PUSH_OPTION_COUNT": "2", "GIT_PUSH_OPTION_0": "skip", "GIT_PUSH_OPTION_1": "a;b",
            ]
        ) { home, request, status, output in
            #expect(status == 0)
            #expect(output == "one\r\n\ntwo\n")
            #expect(spooled(home).isEmpty)
            #expect(request.hasPrefix("POST /hook/hello/post-receive HTTP/1.1\r\n"))
            #expect(request.contains("refs/heads/main\0"))
            #expect(request.contains("option=skip\0option=a;b\0"))
        }
    }

    @Test func aRefusalRefuses() async throws {
        let answer = "HTTP/1.1 422 Unprocessable Content\r\nContent-Length: 9\r\n\r\n !     x\n\n"
        try await exchange("pre-receive", answer: answer) { home, _, status, output in
            #expect(status == 1 << 8)
            #expect(output == " !     x\n\n")
        }
    }

    @Test(arguments: [
        chunked, chunked + "3", chunked + "3\r\non", chunked + "3\r\none\r\n", chunked + "nonsense\r\n",
        chunked + "-5\r\none\r\n", chunked + "FFFFFFFFFFFFFFFFFFFF\r\n", chunked + "7FFFFFFFFFFFFFFF\r\n",
    ])
    func anAcceptedPushIsNotKeptTwice(answer: String) async throws {
        try await exchange("post-receive", answer: answer) { home, _, status, output in
            #expect(status == 0)
            #expect(output.contains("the connection to the kinto server ended; the deploy goes on"))
            #expect(spooled(home).isEmpty)
        }
    }

    @Test(arguments: [
        "", "H", "HTTP/1.1", "HTTP/1.1 \r\n\r\n", "HTTP/1.1 99999999999999999999 x\r\n\r\n", "\r\n\r\n",
        "\u{0}\u{1}\r\n\r\n\r\n\r\n", String(repeating: "x", count: 100_000),
        "HTTP/1.1 200 OK\r\n" + String(repeating: "h: v\r\n", count: 20_000),
        "HTTP/1.1 503 Service Unavailable\r\nTransfer-Encoding: chunked\r\n\r\n3\r\non",
        "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    ])
    func aPushThatWasNotAcceptedIsKept(answer: String) async throws {
        try await exchange("post-receive", answer: answer) { home, _, status, output in
            #expect(status == 0)
            #expect(spooled(home).count == 1)
            #expect(output.contains("the push is kept and is deployed when it answers again"))
            #expect(!output.contains("is not running"))
        }
        try await exchange("pre-receive", answer: answer) { home, _, status, output in
            #expect(status == 0)
            #expect(spooled(home).isEmpty)
            #expect(output.contains("kinto.json is checked when it is back"))
        }
    }

    @Test func aServerThatDoesNotAnswerDoesNotHoldUpThePush() async throws {
        try await TemporaryDirectory.with { home in
            // Nobody accepts.
            let listener = try UnixSocket.listen("\(home)/kinto.sock")
            let clock = ContinuousClock()
            let start = clock.now
            // By its own patience.
            let (status, output) = try await HookProcess(
                "post-receive", input: Self.update, home: home, environment: ["KINTO_HOOK_PATIENCE": ""]
            ).ended()
            #expect(status == 0)
            #expect(clock.now - start >= .seconds(4))
            #expect(spooled(home).count == 1)
            #expect(output.contains("the kinto server does not answer"))
            _ = listener
        }
    }

    @Test func aServerThatReadsNothingDoesNotHoldUpThePush() async throws {
        try await TemporaryDirectory.with { home in
            let listener = try UnixSocket.listen("\(home)/kinto.sock")
            let large = Array(repeating: Self.update, count: 40_000).flatMap { $0 }
            let (status, _) = try await HookProcess(
                "post-receive", input: large, home: home, environment: ["KINTO_HOOK_PATIENCE": ""]
            ).ended()
            #expect(status == 0)
            #expect(spooled(home).count == 1)
            _ = listener
        }
    }

    /// The ref has moved: whoever pushed may go, the push may not.
    @Test(arguments: [SIGINT, SIGTERM, SIGHUP])
    func aPushIsRecordedBeforeASignalEndsTheHook(signal: Int32) async throws {
        try await TemporaryDirectory.with { home in
            let listener = try UnixSocket.listen("\(home)/kinto.sock")
            let hook = try HookProcess("post-receive", input: Self.update, home: home)
            let request = try await Self.accept(listener) { connection, _ in
                kill(hook.pid, signal)
                _ = try? connection.writeAll(Array((Self.chunked + "3\r\none\r\n").utf8))
                // Until it is gone.
                var byte: UInt8 = 0
                _ = read(connection.raw, &byte, 1)
            }
            let (status, _) = try await hook.ended()
            #expect(status == signal)
            #expect(request.contains("refs/heads/main\0"))
            #expect(spooled(home).isEmpty)

            let alone = try HookProcess("post-receive", input: Self.update, home: home)
            try await Self.reset(listener, alone.pid, signal)
            #expect(try await alone.ended().status == signal)
            #expect(spooled(home).count == 1)
        }
    }

    /// The signal comes while the hook waits, and then the server goes without an answer.
    private static func reset(_ listener: Descriptor, _ pid: Int32, _ signal: Int32) async throws {
        _ = try await accept(listener) { _, _ in kill(pid, signal) }
    }
}
