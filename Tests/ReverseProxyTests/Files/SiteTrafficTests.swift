// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Wire

@testable import ReverseProxy

/// Files under the requests of visitors who do not mean well.
@Suite(.timeLimit(.minutes(5)))
struct SiteTrafficTests {
    private let name = "a/production/1"
    private static let length = 2 << 20
    private static let body: [UInt8] = {
        let pattern = (0..<65_521).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
        var body: [UInt8] = []
        while body.count < length { body += pattern }
        return Array(body[..<length])
    }()

    private func folder() throws -> SiteFolder {
        try SiteFolder([
            "big.bin": Self.body, "index.html": Array("<h1>".utf8), "empty.txt": [],
            "64k.txt": Array(Self.body.prefix(64 << 10)), "65k.txt": Array(Self.body.prefix((64 << 10) + 1)),
        ])
    }

    private func get(_ path: String, _ fields: String = "", method: String = "GET", version: String = "1.1")
        -> String
    { "\(method) \(path) HTTP/\(version)\r\nHost: a\r\n\(fields)\r\n" }

    /// How many descriptors of this process are files below a directory.
    private func opened(_ folder: SiteFolder) -> Int {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        return names.count { name in
            let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(name)")
            return target?.hasPrefix("\(folder.path)/tree/") == true
        }
    }

    private func until(_ isTrue: () throws -> Bool) throws {
        for _ in 0..<6000 {
            if try isTrue() { return }
            usleep(10_000)
        }
        throw Trouble("it never came")
    }

    @Test func everyByteComesAndTheConnectionsLiveOn() throws {
        let folder = try folder()
        try ProxyHarness.with { proxy in
            proxy.route(files: folder)
            let visitor = try proxy.visitor()
            try visitor.send(
                get("/big.bin") + get("/empty.txt") + get("/big.bin", method: "HEAD") + get("/index.html")
                    + get("/64k.txt") + get("/65k.txt") + get("/big.bin", "Range: bytes=2000000-\r\n"))
            #expect(try visitor.readHead().contains("Content-Length: \(Self.length)\r\n"))
            #expect(try visitor.readBytes(Self.length) == Self.body)
            #expect(try visitor.readHead().contains("Content-Length: 0\r\n"))
            #expect(try visitor.readHead().contains("Content-Length: \(Self.length)\r\n"))
            #expect(try visitor.readMessage().body == "<h1>")
            for size in [64 << 10, (64 << 10) + 1] {
                #expect(try visitor.readHead().contains("Content-Length: \(size)\r\n"))
                #expect(try visitor.readBytes(size) == Array(Self.body.prefix(size)))
            }
            let head = try visitor.readHead()
            #expect(head.hasPrefix("HTTP/1.1 206 "))
            #expect(
                head.contains("Content-Range: bytes 2000000-\(Self.length - 1)/\(Self.length)\r\n"), "\(head)"
            )
            #expect(try visitor.readBytes(Self.length - 2_000_000) == Array(Self.body[2_000_000...]))
            #expect(try proxy.idle(name).untimed == .init(upstream: name, requests: 7, recent: 7))
            #expect(opened(folder) == 0)
        }
    }

    /// In their order, without a call for each within the call before it, and no more memory than a visitor has read.
    @Test func manyRequestsInOneConnection() throws {
        let folder = try folder()
        try ProxyHarness.with { proxy in
            proxy.route(files: folder)
            proxy.shrinkBuffers()
            let visitor = try proxy.visitor(buffers: 16 << 10)
            let paths = ["/index.html", "/64k.txt", "/65k.txt", "/nope", "/empty.txt"]
            let count = 200
            let sending = Slot<Bool>()
            let text = (0..<count).map { get(paths[$0 % paths.count]) }.joined()
            let writer = dup(visitor.fd)
            ReverseProxy.Thread.start {
                try? Peer(fd: writer).send(text)
                sending.put(true)
            }
            // The proxy stands: the visitor reads nothing.
            let worker = Slot<Int>()
            for _ in 0..<20 {
                proxy.proxy.mailboxes[0].post { worker.put($0.waitingBytes) }
                #expect(try worker.take() < 1 << 20)
                usleep(10_000)
            }
            for number in 0..<count {
                let (head, body) = try visitor.readMessage()
                switch number % paths.count {
                case 0: #expect(body == "<h1>")
                case 1: #expect(head.contains("Content-Length: 65536\r\n"))
                case 2: #expect(head.contains("Content-Length: 65537\r\n"))
                case 3: #expect(head.hasPrefix("HTTP/1.1 404 "))
                default: #expect(head.hasPrefix("HTTP/1.1 200 ") && body.isEmpty)
                }
            }
            _ = try sending.take()
            #expect(try Int(proxy.idle(name).requests) == count)
        }
    }

    /// A visitor who sends without end while it is sent a file: nobody takes that, and it may not be kept.
    @Test func whatComesBesideAFileIsNotKept() throws {
        let folder = try folder()
        try ProxyHarness.with { proxy in
            proxy.route(files: folder)
            proxy.shrinkBuffers()
            let visitor = try proxy.visitor(buffers: 16 << 10)
            try visitor.send(get("/big.bin", "Content-Length: \(16 << 20)\r\n"))
            let piece = [UInt8](repeating: 0x61, count: 64 << 10)
            for _ in 0..<(16 << 20) / piece.count { try visitor.send(piece) }
            let waiting = Slot<Int>()
            proxy.proxy.mailboxes[0].post { waiting.put($0.waitingBytes) }
            #expect(try waiting.take() < 1 << 20)
            #expect(try visitor.readHead().contains("Connection: close\r\n"))
            #expect(try visitor.readBytes(Self.length) == Self.body)
            #expect(try visitor.drain(1) == 0)
        }
    }

    @Test func bodiesAreNotWaitedForAndConnectionsEnd() throws {
        let folder = try folder()
        try ProxyHarness.with { proxy in
            proxy.route(files: folder)
            for (request, closes) in [
                (get("/index.html", "Content-Length: 10\r\n"), true),
                (get("/index.html", "Content-Length: 4\r\n") + "body", true),
                (get("/index.html", "Transfer-Encoding: chunked\r\n") + "4\r\nbody\r\n0\r\n\r\n", true),
                (get("/index.html", "Connection: close\r\n"), true),
                (get("/index.html", version: "1.0"), true),
            ] {
                let visitor = try proxy.visitor()
                try visitor.send(request)
                let (head, body) = try visitor.readMessage()
                #expect(body == "<h1>")
                #expect(head.contains("Connection: close\r\n") == closes, "\(request)")
                #expect(try visitor.drain(1) == 0)
            }
            for request in [
                get("/big.bin", "Connection: close\r\n"), get("/big.bin", version: "1.0"), get("/big.bin"),
            ] {
                let visitor = try proxy.visitor()
                try visitor.send(request)
                visitor.endSending()
                _ = try visitor.readHead()
                #expect(try visitor.readBytes(Self.length) == Self.body)
                #expect(try visitor.drain(1) == 0)
            }
        }
    }

    @Test func visitorsWhoResetLeaveNothingBehind() throws {
        let folder = try folder()
        try ProxyHarness.with { proxy in
            proxy.route(files: folder)
            proxy.shrinkBuffers()
            for round in 0..<30 {
                let visitor = try proxy.visitor(buffers: 16 << 10)
                try visitor.send(get("/big.bin"))
                _ = try visitor.readHead()
                _ = try visitor.readBytes(round * 1000)
                visitor.reset()
            }
            let quick = try proxy.visitor()
            try quick.send(get("/index.html"))
            #expect(try quick.readMessage().body == "<h1>")
            #expect(try proxy.idle(name).failed == 0)
            #expect(opened(folder) == 0)
        }
    }

    @Test func aVisitorWhoReadsNothingIsCut() throws {
        let folder = try folder()
        try ProxyHarness.with("stall-time=1s") { proxy in
            proxy.route(files: folder)
            proxy.shrinkBuffers()
            let visitor = try proxy.visitor(buffers: 16 << 10)
            try visitor.send(get("/big.bin"))
            try until { opened(folder) == 1 }
            _ = try proxy.idle(name)
            try until { opened(folder) == 0 }
            #expect(try visitor.drain(Self.length) < Self.length)
        }
    }

    /// The length was said: what is not there any more is told by the end of the connection.
    @Test(arguments: [false, true])
    func aFileThatIsCutOrRemovedWhileItIsSent(isRemoved: Bool) throws {
        let folder = try folder()
        try ProxyHarness.with { proxy in
            proxy.route(files: folder)
            proxy.shrinkBuffers()
            let visitor = try proxy.visitor(buffers: 16 << 10)
            try visitor.send(get("/big.bin"))
            _ = try visitor.readHead()
            let path = "\(folder.path)/tree/big.bin"
            if isRemoved { unlink(path) } else { truncate(path, 1 << 20) }
            let count = try visitor.drain(Self.length)
            #expect(isRemoved ? count == Self.length : count < Self.length)
            #expect(try proxy.idle(name).failed == (isRemoved ? 0 : 1))
            // From now on it is not what the index says.
            let other = try proxy.visitor()
            try other.send(get("/big.bin") + get("/index.html"))
            #expect(try other.readMessage().head.hasPrefix("HTTP/1.1 500 "))
            #expect(try other.readMessage().body == "<h1>")
            #expect(opened(folder) == 0)
        }
    }

    /// What a link leads to, also one that came later, is only sent when it is in the artifact.
    @Test func linksDoNotLeadOut() throws {
        let folder = try folder()
        try ProxyHarness.with { proxy in
            proxy.route(files: folder)
            let path = "\(folder.path)/tree/index.html"
            let outside = "\(folder.path).secret"
            try Data("1234".utf8).write(to: URL(fileURLWithPath: outside))
            defer { unlink(outside) }
            unlink(path)
            symlink(outside, path)
            let visitor = try proxy.visitor()
            try visitor.send(get("/index.html"))
            #expect(try visitor.readMessage().head.hasPrefix("HTTP/1.1 500 "))
            // Nor is waited for what never comes.
            unlink(path)
            mkfifo(path, 0o644)
            try visitor.send(get("/index.html"))
            #expect(try visitor.readMessage().head.hasPrefix("HTTP/1.1 500 "))
        }
    }

    @Test func aSwapWaitsForDownloadsAndThenCutsThem() throws {
        let folder = try folder()
        let next = try SiteFolder(texts: ["index.html": "new"])
        try ProxyHarness.with { proxy in
            proxy.route(files: folder)
            proxy.shrinkBuffers()
            let slow = try proxy.visitor(buffers: 16 << 10)
            try slow.send(get("/big.bin") + get("/index.html"))
            _ = try slow.readHead()
            proxy.route("a/production/2", files: next)
            let reading = Slot<Bool>()
            proxy.proxy.mailboxes[0].post { _ in reading.put(true) }
            _ = try reading.take()
            #expect(proxy.counters(name)?.inFlight == 1)
            #expect(try slow.readBytes(Self.length) == Self.body)
            // Its next request meets what is live now.
            #expect(try slow.readMessage().body == "new")
            guard case .drained(_, let none) = proxy.proxy.drain(name, milliseconds: 60_000) else {
                Issue.record("not drained")
                return
            }
            #expect(none == 0)

            proxy.route("a/production/3", files: folder)
            let slower = try proxy.visitor(buffers: 16 << 10)
            try slower.send(get("/big.bin"))
            _ = try slower.readHead()
            proxy.route("a/production/4", files: next)
            guard case .drained(let counters, let cut) = proxy.proxy.drain("a/production/3", milliseconds: 20)
            else {
                Issue.record("not drained")
                return
            }
            #expect(cut == 1)
            #expect(counters.failed == 1)
            #expect(try slower.drain(Self.length) < Self.length)
            #expect(opened(folder) == 0)
        }
    }

    @Test func pausesAndMaintenance() throws {
        let folder = try folder()
        try ProxyHarness.with { proxy in
            let upstream = RoutingTable.Upstream(
                identifier: name, ports: [], files: .init(index: folder.index, isSite: true))
            func put(paused: Bool, maintenance: Maintenance? = nil) {
                var route = RoutingTable.Route(identifier: "a/production", hosts: ["a"], upstream: upstream)
                route.hold = 60_000
                route.paused = paused
                route.maintenance = maintenance
                proxy.apply(route)
            }
            put(paused: true)
            let visitors = try (0..<4).map { _ in try proxy.visitor() }
            for visitor in visitors {
                try visitor.send(get("/big.bin", "Range: bytes=1-3\r\n") + get("/index.html") + get("/nope"))
            }
            put(paused: false)
            for visitor in visitors {
                let (head, _) = try visitor.readMessage()
                #expect(head.hasPrefix("HTTP/1.1 206 "), "\(head)")
                #expect(try visitor.readMessage().body == "<h1>")
                #expect(try visitor.readMessage().head.hasPrefix("HTTP/1.1 404 "))
            }
            #expect(try proxy.idle(name).requests == 12)
        }
    }

    @Test func theWholeServerAndAbsoluteTargets() throws {
        let folder = try folder()
        try ProxyHarness.with { proxy in
            proxy.route(files: folder)
            let visitor = try proxy.visitor()
            try visitor.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n" + get("http://a/index.html"))
            #expect(try visitor.readMessage().head.contains("Allow: GET, HEAD, OPTIONS\r\n"))
            #expect(try visitor.readMessage().body == "<h1>")
            for target in ["*", "http://b/index.html", "https://a/index.html", "a/index.html", "http:///"] {
                let other = try proxy.visitor()
                try other.send(get(target))
                #expect(try other.readMessage().head.hasPrefix("HTTP/1.1 400 "), "\(target)")
            }
        }
    }

    /// Random targets and fields: an answer to each, or an end; never the end of the process.
    @Test func randomRequests() throws {
        let folder = try SiteFolder(
            texts: ["index.html": "i", "a b.txt": "0123456789"],
            rules: [
                .init(from: "/:a/*", to: "/:splat/:a", status: 302, isForced: false),
                .init(from: "/*", to: "/:splat.html", status: 200, isForced: true),
            ])
        var random = SeededGenerator(seed: 7)
        let bytes = Array("/%2ef\\:?*.-a0=,;\"<>@&".utf8)
        try ProxyHarness.with { proxy in
            proxy.route(files: folder, fallback: "/index.html")
            for _ in 0..<400 {
                let target = String(
                    decoding: (0..<Int.random(in: 0...40, using: &random)).map { _ in
                        bytes[Int.random(in: 0..<bytes.count, using: &random)]
                    }, as: UTF8.self)
                let value = String(
                    decoding: (0..<Int.random(in: 0...20, using: &random)).map { _ in
                        bytes[Int.random(in: 0..<bytes.count, using: &random)]
                    }, as: UTF8.self)
                let field =
                    ["Range: bytes=", "If-None-Match: ", "Accept-Encoding: ", "If-Range: ", "Accept: "]
                    .randomElement(using: &random) ?? ""
                let visitor = try proxy.visitor()
                try visitor.send(get("/\(target)", "\(field)\(value)\r\nConnection: close\r\n"))
                let answer = try visitor.readToEnd()
                #expect(answer.hasPrefix("HTTP/1.1 "), "\(target) \(field)\(value)")
                #expect(!answer.contains("Location: //"), "\(target)")
            }
        }
    }
}
