// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Wire

/// No descriptor is left for one connection more: nothing asks the kernel in a circle, nobody who came is forgotten, and
/// nothing is started again.
@Suite(.serialized, .timeLimit(.minutes(20)))
struct StorageDescriptorTests {
    @Test("Scenario 10: a server without descriptors rests, and answers who came when it has some")
    func theServerRests() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            let (before, pid) = (try await server.body(), server.pid)
            let visitors = Visitors(server, count: 2)
            let push = try await exhausted(pid, server) {
                let callers = try (0..<20).map { _ in
                    try Caller(server.listen, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
                }
                let push = Task { try await server.push("second") }
                let used = try await processorTime(of: pid, over: .seconds(2))
                #expect(used < 0.2)
                return (callers, push)
            }
            // The hook waited for the answer, or kept the push.
            #expect(try await push.value.status == 0)
            try await server.until {
                let last = try await server.releases("hello").first
                return last?["number"] as? Int == 2 && last?["status"] as? String == "deployed"
            }
            #expect(before.hasPrefix("200 release=1 "))
            #expect(try await server.body().hasPrefix("200 release=2 "))
            #expect(server.pid == pid && kill(pid, 0) == 0)
            let tally = await visitors.end()
            #expect(tally.failures.isEmpty, "\(tally.failures.prefix(3))")
        }
    }

    @Test("Scenario 10: a proxy without descriptors rests, and serves who came when it has some")
    func theProxyRests() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            let before = try await server.body()
            let pid = Int32(try #require(try await server.proxyStatus()["pid"] as? Int))
            let push = try await exhausted(pid, server) {
                let callers = try (0..<20).map { _ in
                    try Caller(server.proxy, "GET / HTTP/1.1\r\nHost: hello.localhost\r\n\r\n")
                }
                // Its orders come over a connection, too.
                let push = Task { try await server.push("second") }
                let used = try await processorTime(of: pid, over: .seconds(2))
                #expect(used < 0.2)
                return (callers, push)
            }
            #expect(try await push.value.output.contains("Release 2 is live"))
            #expect(before.hasPrefix("200 release=1 "))
            #expect(try await server.body().hasPrefix("200 release=2 "))
            #expect(try await server.proxyStatus()["pid"] as? Int == Int(pid))
        }
    }

    /// Takes all descriptors from a process for as long as `body` runs, and has its callers answered afterwards.
    private func exhausted<T: Sendable>(
        _ pid: Int32, _ server: Server, _ body: () async throws -> ([Caller], T)
    ) async throws -> T {
        let limit = try await server.run(
            "/usr/bin/prlimit", ["--pid", "\(pid)", "--nofile", "--output", "SOFT", "--noheadings"]
        ).output.trimmingCharacters(in: .whitespacesAndNewlines)
        func bound(_ value: String) async throws {
            let set = try await server.run("/usr/bin/prlimit", ["--pid", "\(pid)", "--nofile=\(value):"])
            #expect(set.status == 0, "\(set.output)")
        }
        // Lower than all that are in use.
        try await bound("4")
        let result: ([Caller], T)
        do { result = try await body() } catch {
            try await bound(limit)
            throw error
        }
        #expect(result.0.allSatisfy { !$0.isAnswered })
        try await bound(limit)
        for caller in result.0 {
            #expect(await onThread { caller.answer() }.hasPrefix("HTTP/1.1 200 "))
        }
        return result.1
    }

    /// What share of a processor a process uses meanwhile.
    private func processorTime(of pid: Int32, over time: Duration) async throws -> Double {
        func used() throws -> Int {
            // The second field may hold spaces; utime and stime are the 14th and the 15th (proc(5)).
            let text = String(decoding: try Files.read("/proc/\(pid)/stat"), as: UTF8.self)
            let fields = text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ")
            return (Int(fields[12]) ?? 0) + (Int(fields[13]) ?? 0)
        }
        let (before, began) = (try used(), ContinuousClock.now)
        try await Task.sleep(for: time)
        let spent = Double(try used() - before) / Double(sysconf(Int32(_SC_CLK_TCK)))
        // It may have been longer than was asked for.
        return spent / ((ContinuousClock.now - began) / .seconds(1))
    }
}

/// A connection that asks at once and is patient.
private final class Caller: Sendable {
    private let socket: Descriptor

    init(_ port: UInt16, _ request: String) throws {
        socket = Descriptor(
            owning: Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0))
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var patience = timeval(tv_sec: 180, tv_usec: 0)
        setsockopt(socket.raw, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        let connected = withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { [socket] in
                connect(socket.raw, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0, send(socket.raw, request, request.utf8.count, Int32(MSG_NOSIGNAL)) > 0 else {
            throw Trouble("cannot connect: \(errno)")
        }
    }

    var isAnswered: Bool {
        var byte: UInt8 = 0
        return recv(socket.raw, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)) >= 0
    }

    func answer() -> String {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = recv(socket.raw, &bytes, bytes.count, 0)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
}
