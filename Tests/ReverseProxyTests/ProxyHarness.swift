// SPDX-License-Identifier: Apache-2.0
import Foundation
import Synchronization
import TestSupport
import Wire

@testable import ReverseProxy

/// The proxy as it runs: a worker on a thread of its own, a listening socket, a routing table.
final class ProxyHarness: Sendable {
    let proxy: Proxy
    let port: UInt16
    private let listener: Descriptor
    private let directory: String
    private let generation = Mutex<UInt64>(0)
    /// When the worker has ended.
    let ended = Slot<Bool>()

    /// - Parameter limits: `NAME=VALUE` each.
    static func with(_ limits: String..., body: (ProxyHarness) throws -> Void) throws {
        let harness = try ProxyHarness(ProxyLimits(limits))
        defer { harness.end() }
        try body(harness)
    }

    private init(_ limits: ProxyLimits) throws {
        directory = "/tmp/kinto-proxy-test-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        listener = try Listener.open(.loopback(0))
        port = try ProxyHarness.port(of: listener.raw)
        let mailbox = try Worker.Mailbox()
        proxy = Proxy(
            mailboxes: [mailbox], snapshot: "\(directory)/routes", addresses: ProxyAddresses(plain: ""))
        ReverseProxy.Thread.start { [ended] in
            guard
                let worker = try? Worker(
                    mailbox: mailbox, capacity: limits.connections, limits: limits,
                    addresses: AddressCounts(limits))
            else { return }
            worker.run()
            ended.put(true)
        }
        proxy.open(listener, .hosts)
    }

    static func port(of fd: Int32) throws -> UInt16 {
        var name = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(fd, $0, &length) }
        }
        guard code == 0 else { throw Trouble("getsockname: \(errno)") }
        return UInt16(bigEndian: name.sin_port)
    }

    private func end() {
        let raw = listener.raw
        proxy.mailboxes[0].post { worker in
            worker.forget(raw)
            worker.stop()
        }
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// Routes host `a` (and a stable port) to the origins, under a name.
    @discardableResult
    func route(_ name: String?, _ origins: Origin..., stable: UInt16? = nil) -> ProxyReply {
        route(name, ports: origins.map(\.port), stable: stable)
    }

    @discardableResult
    func route(_ name: String?, ports: [UInt16], stable: UInt16? = nil) -> ProxyReply {
        apply(
            .init(
                identifier: "a/production", hosts: ["a"], port: stable,
                upstream: name.map { .init(identifier: $0, ports: ports) }))
    }

    /// Puts one route in force, the next generation.
    @discardableResult
    func apply(_ route: RoutingTable.Route) -> ProxyReply {
        let next = generation.withLock { value in
            value += 1
            return value
        }
        return proxy.apply(RoutingTable(generation: next, routes: [route]))
    }

    /// - Parameter address: of the loopback network, where it comes from.
    func visitor(buffers: Int32? = nil, from address: String? = nil) throws -> Peer {
        try Peer(connecting: port, buffers: buffers, from: address)
    }

    /// Gives connections accepted from now on little memory in the kernel, so that what waits, waits in the proxy.
    func shrinkBuffers() {
        var size: Int32 = 8 << 10
        for option in [SO_SNDBUF, SO_RCVBUF] {
            setsockopt(listener.raw, SOL_SOCKET, option, &size, socklen_t(MemoryLayout<Int32>.size))
        }
    }

    /// Runs `body` while the worker stands still; what happened meanwhile reaches it as one round of events.
    func standingStill(_ body: () throws -> Void) throws {
        let standing = Slot<Bool>()
        let go = Slot<Bool>()
        proxy.mailboxes[0].post { _ in
            standing.put(true)
            _ = try? go.take()
        }
        defer { go.put(true) }
        _ = try standing.take()
        try body()
    }

    /// Counters of an upstream.
    func counters(_ name: String) -> ProxyReply.Counters? {
        guard case .statistics(let all) = proxy.statistics() else { return nil }
        return all.first { $0.upstream == name }
    }

    /// Waits until nothing is on its way to an upstream.
    func idle(_ name: String) throws -> ProxyReply.Counters {
        for _ in 0..<18_000 {
            if let counters = counters(name), counters.inFlight == 0 { return counters }
            usleep(10_000)
        }
        throw Trouble("requests on their way: \(String(describing: counters(name)))")
    }
}
