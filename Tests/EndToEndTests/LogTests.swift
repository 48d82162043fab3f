// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import Synchronization
import TestSupport
import Testing
import Wire

/// Logs from the process that writes to the person who reads.
@Suite(.serialized, .timeLimit(.minutes(20)))
struct LogTests {
    /// Scenario 49: over the doors; two hundred without them are in LogFollowerTests.
    @Test func watchersSeeTheWholeBuildAndThoseThatDoNotReadHurtNobody() async throws {
        try await Server.with { server in
            try await server.setUp(
                #"{"start":"python3 server.py","probe":{"path":"/"},"build":{"command":"python3 say.py"}}"#)
            try server.write(
                "say.py",
                """
                import sys, time
                for number in range(6000):
                    print("line", number, "x" * 80)
                    if number % 1000 == 0: sys.stdout.flush(); time.sleep(0.02)
                """)
            try await server.git("add", "-A")
            try await server.git("commit", "-q", "-m", "first")
            let push = Task { try await server.push("first") }
            try await server.until { try await server.releases("hello").count == 1 }
            let token = try String(contentsOfFile: "\(server.home)/token", encoding: .utf8).dropLast()
            let path = "/api/v1/services/hello/releases/1/log?follow=1&times=0"
            var idle: [Idle] = []
            for _ in 0..<10 { idle.append(try Idle(server.listen, path, token: String(token))) }
            let expected = (0..<6000).map { "       line \($0) " + String(repeating: "x", count: 80) }
            try await withThrowingTaskGroup(of: [String].self) { group in
                for number in 0..<20 {
                    group.addTask {
                        // Some join late.
                        if number >= 10 { try await server.until { try await server.isBuilding(2000) } }
                        let text = Mutex<[UInt8]>([])
                        _ = try await HTTPClient.stream(
                            .init(
                                url: "http://127.0.0.1:\(server.listen)\(path)",
                                headers: ["Authorization: Bearer \(token)"])
                        ) { bytes in text.withLock { $0 += bytes } }
                        return String(decoding: text.withLock { $0 }, as: UTF8.self).split(separator: "\n")
                            .map(String.init)
                    }
                }
                for try await seen in group {
                    #expect(seen.filter { $0.hasPrefix("       line ") } == expected)
                    #expect(
                        seen.last?.contains("Release 1 is live") == true
                            || seen.contains { $0.contains("is live") })
                }
            }
            #expect(try await push.value.output.contains("is live"))
            withExtendedLifetime(idle) {}
        }
    }

    /// Scenario 49: a connection whose watcher takes nothing is closed, and the memory for it given back.
    @Test func aWatcherThatNeverReadsIsDropped() async throws {
        try await Server.with(environment: { _ in ["KINTO_WATCHER_PATIENCE=15s"] }) { server in
            try await server.setUp(
                #"{"start":"python3 flood.py & exec python3 server.py","probe":{"path":"/"}}"#)
            try server.write(
                "flood.py",
                "import os, time\nwhile True: os.write(1, b'x' * 60000 + b'\\n'); time.sleep(0.001)")
            #expect(try await server.push("first").output.contains("is live"))
            let token = try String(contentsOfFile: "\(server.home)/token", encoding: .utf8).dropLast()
            let path = "/api/v1/services/hello/releases/1/console?follow=1"
            func sockets() -> Int { ProcessTable.socketInodes(of: server.pid).count }
            let before = sockets()
            let idle = try (0..<20).map { _ in try Idle(server.listen, path, token: String(token)) }
            // Those of the commands before this may end meanwhile.
            try await server.until { sockets() >= before + 15 }
            // Not closed from this side.
            try await server.until { sockets() < before + 10 }
            withExtendedLifetime(idle) {}
            #expect(try await server.kinto("logs", "hello", "--console", "-n", "1").status == 0)
        }
    }

    /// Scenario 48: a push is shown the beginning of a flood, and how it ended.
    @Test func aFloodIsNotSentToWhoPushes() async throws {
        try await Server.with { server in
            try await server.setUp(
                #"{"start":"python3 server.py","probe":{"path":"/"},"build":{"command":"echo first; yes 0123456789 | head -n 300000"}}"#
            )
            let push = try await server.push("first").output
            #expect(push.contains("       first"))
            #expect(push.contains("is live"), "\(push.suffix(500))")
            #expect(
                push.contains(" !     more output is not shown here: kinto logs hello --release 1 --build"))
            let size = push.utf8.count
            #expect(size < 1 << 20)
            let log = try await server.kinto("logs", "hello", "--release", "1", "--build").output
            let inPush = push.utf8.count { $0 == UInt8(ascii: "9") }
            let inLog = log.utf8.count { $0 == UInt8(ascii: "9") }
            #expect(inPush > 5000 && inPush <= 10_001)
            #expect(inLog >= 300_000)
        }
    }

    /// Scenario 48: others' logs stay live. Smaller than there: the whole amount is `scripts/bench-logs`'s.
    @Test func aFloodIsBoundedAndAnotherServicesLogStaysLive() async throws {
        try await Server.with { server in
            try await server.setUp(
                #"{"start":"python3 flood.py & exec python3 server.py","probe":{"path":"/"}}"#)
            try server.write(
                "flood.py",
                """
                import os, time
                while True:
                    os.write(1, b"x" * 65000 + b"\\0\\xff\\x1b]0;title\\x07</script>\\r\\n")
                """)
            let push = try await server.push("first")
            #expect(push.output.contains("is live"), "\(push.output)")
            let directory = "\(server.home)/services/hello/production/releases/1"
            try await server.until { Files.exists("\(directory)/console.web.1.log.1") }
            // Another log of the same home: the release log of a deploy, followed while the flood goes on.
            #expect(try await server.kinto("service", "add", "other").status == 0)
            try server.write(
                "kinto.json",
                #"{"start":"python3 server.py","probe":{"path":"/"},"build":{"command":"for i in $(seq 20); do echo line $i; sleep 0.1; done; while [ ! -e \#(server.root)/seen ]; do sleep 0.05; done"}}"#
            )
            try await server.git("add", "-A")
            try await server.git("commit", "-q", "-m", "other")
            let seen = Mutex<String>("")
            let other = Task {
                try await server.git("push", "\(server.home)/repos/other.git", "HEAD:main")
            }
            try await server.until { try await server.releases("other").count == 1 }
            _ = try await HTTPClient.stream(
                .init(
                    url: "http://kinto/api/v1/services/other/releases/1/log?follow=1&times=0",
                    unixSocket: "\(server.home)/kinto.sock")
            ) { bytes in
                let isAll = seen.withLock { text in
                    text += String(decoding: bytes, as: UTF8.self)
                    return text.contains(" line 20\n")
                }
                // The build goes on when its lines were read: they come while it runs, or never.
                if isAll { try? server.touch("seen") }
            }
            #expect(try await other.value.output.contains("is live"))
            let lines = seen.withLock { $0.split(separator: "\n").filter { $0.hasPrefix("       line ") } }
            #expect(lines == (1...20).map { "       line \($0)" })
            for name in ["console.web.1.log", "console.web.1.log.1"] {
                var status = stat()
                // For a moment it has the other name already and is not made anew.
                try await server.until { stat("\(directory)/\(name)", &status) == 0 }
                #expect(status.st_size <= 11 << 20)
            }
            try await server.until {
                let lines = try await server.kinto("logs", "hello", "--console", "-n", "3").output
                #expect(!lines.utf8.contains { $0 < 0x20 && $0 != 0x0A })
                return lines.contains("</script>")
            }
        }
    }

    @Test func aConsoleLogIsFollowedOverItsRotationAndARemovedDirectory() async throws {
        try await Server.with { server in
            try await server.setUp(
                #"{"start":"python3 count.py & exec python3 server.py","probe":{"path":"/"}}"#)
            try server.write(
                "count.py",
                """
                import os, sys, time
                # Never further than what is kept of a log from whoever follows it.
                def read():
                    try: return int(open("\(server.root)/read").read())
                    except (OSError, ValueError): return -1
                number = 0
                while True:
                    while number > read() + 8000: time.sleep(0.01)
                    sys.stdout.write("".join("number %d %s\\n" % (n, "x" * 500) for n in range(number, number + 500)))
                    sys.stdout.flush()
                    number += 500
                    time.sleep(0.02)
                """)
            #expect(try await server.push("first").output.contains("is live"))
            let directory = "\(server.home)/services/hello/production/releases/1"
            let numbers = Mutex<[Int]>([])
            let partial = Mutex<String>("")
            let follow = Task {
                _ = try? await HTTPClient.stream(
                    .init(
                        url: "http://kinto/api/v1/services/hello/releases/1/console?follow=1&times=0",
                        unixSocket: "\(server.home)/kinto.sock")
                ) { bytes in
                    let text = partial.withLock { $0 + String(decoding: bytes, as: UTF8.self) }
                    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
                    partial.withLock { $0 = String(lines.last ?? "") }
                    let new = lines.dropLast().compactMap { line -> Int? in
                        let words = line.split(separator: " ")
                        return words.first == "number" ? Int(words[1]) : nil
                    }
                    numbers.withLock { $0 += new }
                }
            }
            try await server.until {
                let count = numbers.withLock { $0.count }
                try "\(count)".write(toFile: "\(server.root)/read", atomically: true, encoding: .utf8)
                return count > 45_000
            }
            #expect(Files.exists("\(directory)/console.web.1.log.1"))
            let seen = numbers.withLock { $0 }
            #expect(seen == Array(0..<seen.count))
            // From here on it goes on without a reader.
            try "\(Int.max / 2)".write(toFile: "\(server.root)/read", atomically: true, encoding: .utf8)
            // The log may be rotated, and so made again, in the middle of it.
            try await server.until { (try? Files.removeTree(directory)) != nil }
            try await server.until {
                (try? await server.kinto("logs", "hello", "--console", "-n", "5").output.contains("number"))
                    == true
            }
            follow.cancel()
            _ = await follow.value
            #expect(try await server.get().status == 200)
        }
    }

    @Test func coloursAreForTerminalsOnly() async throws {
        try await Server.with { server in
            try await server.setUp(
                #"{"start":"python3 server.py","probe":{"path":"/"},"build":{"command":"printf '\\033[31mred\\033[0m \\033]0;title\\007\\033[2Jend\\n'; printf '10%%\\r'; sleep 5; printf '100%%\\n'"}}"#
            )
            try await server.git("add", "-A")
            try await server.git("commit", "-q", "-m", "\u{1B}[2Jsubject\u{1B}]0;x\u{7}")
            let push = try await server.push("\u{1B}[2Jsubject\u{1B}]0;x\u{7}")
            #expect(push.output.contains("red end"), "\(push.output)")
            #expect(!push.output.contains("\u{1B}[31m"))
            #expect(!push.output.contains("10%\r"))
            let plain = try await server.kinto("logs", "hello", "--build").output
            #expect(!plain.contains("\u{1B}"))
            let json = try await server.kinto("logs", "hello", "--build", "--json").output
            #expect(json.contains(#""text":"       red end""#), "\(json)")
            // On a terminal of its own.
            func terminal(_ variables: String) async throws -> String {
                try await server.run(
                    "/bin/sh",
                    [
                        "-c",
                        "\(variables) TERM=xterm script -qec '\(server.bin)/kinto logs hello --build --home \(server.home)' /dev/null",
                    ]
                ).output
            }
            let coloured = try await terminal("")
            #expect(coloured.contains("\u{1B}[31mred\u{1B}[0m end"), "\(coloured)")
            #expect(coloured.contains("10%\r\u{1B}[K"), "\(coloured)")
            #expect(!coloured.contains("\u{1B}[2J") && !coloured.contains("\u{1B}]"))
            #expect(try await !terminal("NO_COLOR=1").contains("\u{1B}[31m"))
        }
    }
}

extension Server {
    /// Whether the first release's log has so many lines.
    fileprivate func isBuilding(_ lines: Int) async throws -> Bool {
        let path = "\(home)/services/hello/production/releases/1/release.log"
        let bytes = FileManager.default.contents(atPath: path) ?? Data()
        return bytes.count { $0 == 0x0A } > lines
    }
}

/// A watcher that asks and never reads.
private final class Idle {
    private let fd: Int32

    init(_ port: UInt16, _ path: String, token: String) throws {
        fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var small: Int32 = 4096
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, 4)
        let connected = withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        let request = Array("GET \(path) HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(token)\r\n\r\n".utf8)
        guard connected == 0, send(fd, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else {
            throw Trouble("an idle watcher cannot connect: \(errno)")
        }
    }

    deinit { close(fd) }
}
