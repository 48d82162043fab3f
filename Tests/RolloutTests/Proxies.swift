// SPDX-License-Identifier: Apache-2.0
import Foundation
import KintoCore
import TestSupport
import Testing
import Wire

@testable import Rollout

/// A home with proxies in it, and an instance that answers and echoes.
final class Proxies: Sendable {
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
        routes = Routes(driver: EmbeddedDriver(socket: home.proxySocket))
        supervisors = SupervisorClient(runtime: try Products.directory() + "/kinto-runtime")
        port = try FreePort.take()
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

    func process(_ version: String, listen: String? = nil, limits: [String] = ["idle-time=10m"]) throws
        -> ProxyProcess
    {
        ProxyProcess(
            home: home, supervisors: supervisors,
            settings: ProxySettings(
                listen: try ListenAddress(listen ?? "127.0.0.1:\(port)", option: "--proxy-listen"),
                limits: try ProxyLimits(limits)), version: version, routes: routes)
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
        UnixSocket.setPatience(120_000, of: connection)
        try Frame.write(ProxyRequest.handOver(place: 99, milliseconds: 1_000).fields, to: connection)
        let fields = try #require(try Frame.read(from: connection))
        guard case .sockets = try ProxyReply(fields) else { throw Trouble("no sockets: \(fields)") }
        return [connection, try UnixSocket.receive(from: connection)]
    }
}
