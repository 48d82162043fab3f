// SPDX-License-Identifier: Apache-2.0
import Foundation
import KintoCore
import Synchronization
import TestSupport
import Testing
import Wire

@testable import Rollout

/// A proxy hands over to another: real processes, each under its supervisor.
@Suite(.timeLimit(.minutes(5)))
struct ReplacementTests {
    @Test func anotherVersionTakesOverAndTheOldOneEndsWhenItsTunnelDoes() async throws {
        try await Proxies.with { proxies in
            let old = try await proxies.process("1").ensure()
            #expect(try await proxies.process("1").ensure().process == old.process)
            try await proxies.route("a/1")
            let tunnel = try Line(proxies.port)
            #expect(try tunnel.upgrade())
            let kept = try Line(proxies.port)
            #expect(try kept.get().hasPrefix("HTTP/1.1 200 OK"))
            let new = try await proxies.process("2").ensure()
            #expect(new.version == "2")
            #expect(new.process != old.process)
            #expect(new.supervisor != old.supervisor)
            // A connection that rested in the old one has one answer more, and is told that it was the last.
            #expect(try kept.get().contains("\r\nConnection: close\r\n"))
            #expect(try tunnel.echo("still there"))
            #expect(try Line(proxies.port).get().hasPrefix("HTTP/1.1 200 OK"))
            #expect(old.process.isRunning)
            tunnel.close()
            try await until("the end of the old proxy") {
                !old.process.isRunning && old.supervisor?.isRunning == false
            }
        }
    }

    @Test func anotherAddressIsServedAndTheStablePortsStay() async throws {
        try await Proxies.with { proxies in
            try await proxies.process("1").ensure()
            let stable = try freePort()
            try await proxies.route("a/1", port: stable)
            let other = try freePort()
            let new = try await proxies.process("1", listen: "127.0.0.1:\(other)").ensure()
            #expect(new.listen == "127.0.0.1:\(other)")
            for port in [other, stable] {
                #expect(try Line(port).get().hasPrefix("HTTP/1.1 200 OK"))
            }
            try await until("the end of the old address") { (try? Line(proxies.port)) == nil }
            // The same port at all addresses, and back.
            for address in ["0.0.0.0", "127.0.0.1"] {
                try await proxies.process("1", listen: "\(address):\(other)").ensure()
                #expect(try Line(other).get().hasPrefix("HTTP/1.1 200 OK"))
            }
        }
    }

    @Test func otherLimitsAreTakenOver() async throws {
        try await Proxies.with { proxies in
            let old = try await proxies.process("1").ensure()
            let new = try await proxies.process("1", limits: ["idle-time=5s"]).ensure()
            #expect(new.process != old.process)
            #expect(try await proxies.routes.hello().limits == ["idle-time=5s"])
            #expect(try await proxies.process("1", limits: ["idle-time=5s"]).ensure().process == new.process)
        }
    }

    @Test func anAddressThatCannotBeHadLeavesTheOldProxy() async throws {
        try await Proxies.with { proxies in
            let old = try await proxies.process("1").ensure()
            try await proxies.route("a/1")
            let taken = try Line.listener()
            defer { Foundation.close(taken.fd) }
            await #expect {
                try await proxies.process("1", listen: "127.0.0.1:\(taken.port)").ensure()
            } throws: {
                ($0 as? Failure)?.code == "proxy-replace"
            }
            #expect(try await proxies.routes.hello().process == old.process)
            #expect(try Line(proxies.port).get().hasPrefix("HTTP/1.1 200 OK"))
            // Nothing is left of the attempts.
            #expect(ProxyPlace.all(in: proxies.home.proxies).count == 1)
        }
    }

    /// The new one dies before it is ready: orders that came meanwhile are the old one's.
    @Test func anAskerThatEndsChangesNothing() async throws {
        try await Proxies.with { proxies in
            let old = try await proxies.process("1").ensure()
            try await proxies.route("a/1")
            var sockets = try proxies.ask()
            #expect(sockets.count == 2)
            async let swap: Void = proxies.route("a/2")
            #expect(try Line(proxies.port).get().hasPrefix("HTTP/1.1 200 OK"))
            sockets = []
            try await swap
            #expect(try await proxies.routes.hello().process == old.process)
            #expect(try Line(proxies.port).get().hasPrefix("HTTP/1.1 200 OK"))
            #expect(try await proxies.process("2").ensure().version == "2")
        }
    }

    @Test func theOldProxyKilledWhileItIsAskedComesBackWhenTheAskerEnds() async throws {
        try await Proxies.with { proxies in
            let old = try await proxies.process("1").ensure()
            try await proxies.route("a/1")
            var sockets = try proxies.ask()
            old.process.send(SIGKILL)
            try await until("its end") { !old.process.isRunning }
            sockets = []
            _ = sockets
            try await until("its return") {
                (try? Line(proxies.port).get().hasPrefix("HTTP/1.1 200 OK")) == true
            }
            let back = try await proxies.routes.hello()
            #expect(back.process != old.process)
            #expect(try await proxies.process("2").ensure().version == "2")
        }
    }

    /// A release is not stopped while the old proxy has requests of it.
    @Test func aDrainWaitsForTheOldProxyToo() async throws {
        try await Proxies.with { proxies in
            let old = try await proxies.process("1").ensure()
            try await proxies.route("a/1")
            let tunnel = try Line(proxies.port)
            #expect(try tunnel.upgrade())
            let resting = try Line(proxies.port)
            try await proxies.process("2").ensure()
            try await proxies.route("a/2")
            let counters = try #require(try await proxies.routes.counters().first { $0.upstream == "a/1" })
            #expect(counters.inFlight == 1)
            // Each order occupies a thread of the proxy while it is carried out.
            let tasks = "/proc/\(old.process.pid)/task"
            try await until("the answer's end") { try Files.list(tasks).count == 3 }
            async let drained = proxies.routes.drain("a/1", .seconds(20))
            try await until("the order to drain") { try Files.list(tasks).count == 4 }
            // A request in the old proxy goes where the new one's table says.
            #expect(try resting.get().hasPrefix("HTTP/1.1 200 OK"))
            #expect(try await proxies.routes.counters().first { $0.upstream == "a/2" }?.requests == 1)
            tunnel.close()
            let (final, cut) = try await drained
            #expect(final.requests == 1)
            #expect(cut == 0)
        }
    }

    @Test func whatOutlivesItsTimeIsCutByTheDrain() async throws {
        try await Proxies.with { proxies in
            try await proxies.process("1").ensure()
            try await proxies.route("a/1")
            let tunnel = try Line(proxies.port)
            #expect(try tunnel.upgrade())
            let old = try await proxies.process("1").restart(drain: TimeSpan(milliseconds: 60_000))
            try await proxies.route("a/2")
            let (_, cut) = try await proxies.routes.drain("a/1", TimeSpan(milliseconds: 100))
            #expect(cut == 1)
            #expect(try tunnel.readToEnd() == "")
            // And by the end of the time that the old proxy has.
            let other = try Line(proxies.port)
            #expect(try other.upgrade())
            _ = try await proxies.process("1").restart(drain: TimeSpan(milliseconds: 100))
            #expect(try other.readToEnd() == "")
            try await until("the end of the old proxy") { old.supervisor?.isRunning == false }
        }
    }

    @Test func theOldProxyKilledWhileItDrainsStaysAway() async throws {
        try await Proxies.with { proxies in
            let old = try await proxies.process("1").ensure()
            try await proxies.route("a/1")
            let tunnel = try Line(proxies.port)
            #expect(try tunnel.upgrade())
            let new = try await proxies.process("1").restart()
            old.process.send(SIGKILL)
            try await until("the end of its supervisor") { old.supervisor?.isRunning == false }
            #expect(try await proxies.routes.hello().process == new.process)
            // The new one, killed, is started again, as ever.
            new.process.send(SIGKILL)
            try await until("its return") {
                (try? Line(proxies.port).get().hasPrefix("HTTP/1.1 200 OK")) == true
            }
            #expect(new.supervisor?.isRunning == true)
        }
    }

    @Test func ofTwoAtOnceOneServesAndTheOtherEnds() async throws {
        try await Proxies.with { proxies in
            try await proxies.process("1").ensure()
            try await proxies.route("a/1")
            // Of two servers, as it were: each starts its own.
            async let one = proxies.process("2").restart()
            async let other = proxies.process("3").restart()
            let results = [try? await one, try? await other].compactMap { $0 }
            #expect(!results.isEmpty)
            let serving = try await proxies.routes.hello().process
            #expect(results.contains { $0.process == serving })
            #expect(try Line(proxies.port).get().hasPrefix("HTTP/1.1 200 OK"))
            try await until("the end of all others") {
                ProxyPlace.all(in: proxies.home.proxies).filter { place in
                    (try? SupervisorState.read(place.state))?.supervisor.isRunning == true
                }.count == 1
            }
        }
    }
}

/// A home with proxies in it, and an instance that answers and echoes.
private final class Proxies: Sendable {
    let home: Home
    let routes: Routes
    let port: UInt16
    private let supervisors: SupervisorClient
    private let instance: UInt16
    private let listener: Int32

    static func with(_ body: (Proxies) async throws -> Void) async throws {
        try await TemporaryDirectory.with { directory in
            let proxies = try Proxies(directory)
            do { try await body(proxies) } catch {
                await proxies.end()
                throw error
            }
            await proxies.end()
        }
    }

    private init(_ directory: String) throws {
        home = Home(directory)
        try home.prepare()
        routes = Routes(socket: home.proxySocket)
        supervisors = SupervisorClient(runtime: try Products.directory() + "/kinto-runtime")
        port = try freePort()
        let (fd, number) = try Line.listener()
        (listener, instance) = (fd, number)
        Thread.detachNewThread {
            while true {
                let raw = accept(fd, nil, nil)
                guard raw >= 0 else { return }
                Thread.detachNewThread { Line(raw).serve() }
            }
        }
    }

    private func end() async {
        for place in ProxyPlace.all(in: home.proxies) {
            guard let state = try? SupervisorState.read(place.state) else { continue }
            await SupervisorHandle(
                supervisor: state.supervisor, statePath: place.state, identifier: state.identifier, grace: 0
            ).stop(grace: 0)
        }
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    func process(_ version: String, listen: String? = nil, limits: [String] = []) throws -> ProxyProcess {
        ProxyProcess(
            home: home, supervisors: supervisors,
            listen: try ListenAddress(listen ?? "127.0.0.1:\(port)", option: "--proxy-listen"),
            limits: try ProxyLimits(limits), version: version, routes: routes)
    }

    func route(_ upstream: String, port: UInt16? = nil) async throws {
        try await routes.set(
            .init(
                identifier: "a", hosts: ["a"], port: port,
                upstream: .init(identifier: upstream, ports: [instance])))
    }

    /// Asks for the sockets as a new proxy does: they, and the connection, which end with the array.
    func ask() throws -> [Descriptor] {
        let connection = try UnixSocket.connect(home.proxySocket)
        UnixSocket.setPatience(10_000, of: connection)
        try Frame.write(ProxyRequest.handOver(place: 99, milliseconds: 1_000).fields, to: connection)
        let fields = try #require(try Frame.read(from: connection))
        guard case .sockets = try ProxyReply(fields) else { throw Trouble("no sockets: \(fields)") }
        return [connection, try UnixSocket.receive(from: connection)]
    }
}

private func freePort() throws -> UInt16 {
    let (fd, port) = try Line.listener()
    close(fd)
    return port
}

/// One end of a TCP connection, blocking, at most ten seconds at a time.
private final class Line {
    private let fd: Int32
    private var buffer: [UInt8] = []
    private var isClosed = false

    init(_ fd: Int32) {
        self.fd = fd
        var patience = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    convenience init(_ port: UInt16) throws {
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        let code = Line.withLoopback(port) { connect(fd, $0, $1) }
        guard code == 0 else {
            Foundation.close(fd)
            throw Trouble("connect: \(errno)")
        }
        self.init(fd)
    }

    deinit { close() }

    func close() {
        if !isClosed { Foundation.close(fd) }
        isClosed = true
    }

    static func listener() throws -> (fd: Int32, port: UInt16) {
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard withLoopback(0, { bind(fd, $0, $1) }) == 0, listen(fd, 128) == 0 else {
            throw Trouble("listen")
        }
        var name = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &name) { pointer in
            _ = pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(fd, $0, &length) }
        }
        return (fd, UInt16(bigEndian: name.sin_port))
    }

    private static func withLoopback(_ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32)
        -> Int32
    {
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    func send(_ text: String) throws {
        let bytes = Array(text.utf8)
        guard Foundation.send(fd, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
            throw Trouble("send: \(errno)")
        }
    }

    func read(until mark: String) throws -> String {
        while true {
            if let range = buffer.firstRange(of: Array(mark.utf8)) {
                defer { buffer.removeSubrange(..<range.upperBound) }
                return String(decoding: buffer[..<range.upperBound], as: UTF8.self)
            }
            guard try fill() else { throw Trouble("ended") }
        }
    }

    func readToEnd() throws -> String {
        while try fill() {}
        return String(decoding: buffer, as: UTF8.self)
    }

    private func fill() throws -> Bool {
        var chunk = [UInt8](repeating: 0, count: 4096)
        let count = recv(fd, &chunk, chunk.count, 0)
        guard count >= 0 else { throw Trouble("recv: \(errno)") }
        buffer += chunk[..<count]
        return count > 0
    }

    /// The head of the answer.
    func get() throws -> String {
        try send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let head = try read(until: "\r\n\r\n")
        _ = try read(until: "!")
        return head
    }

    func upgrade() throws -> Bool {
        try send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        return try read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 101 ")
    }

    func echo(_ text: String) throws -> Bool {
        try send("\(text)\n")
        return try read(until: "\n") == "\(text)\n"
    }

    /// The instance's side.
    func serve() {
        while let head = try? read(until: "\r\n\r\n") {
            guard head.lowercased().contains("upgrade: echo") else {
                guard (try? send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi!")) != nil else { return }
                continue
            }
            try? send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
            while let line = try? read(until: "\n"), (try? send(line)) != nil {}
        }
    }
}
