// SPDX-License-Identifier: Apache-2.0
import Foundation
import KintoCore
import Synchronization
import TestSupport
import Testing
import Wire

@testable import Rollout

/// What the server does beside its releases when somebody else's proxy stands before them.
@Suite(.timeLimit(.minutes(20)))
struct ExternalProxyTests {
    /// A program that is there or not, and keeps what it was told.
    private final class Program: ExternalProxyDriver {
        static let program = "program"
        struct State {
            var isThere = true
            var told: [[RoutingTable.Route]] = []
            var isLost = true
        }
        let state = Mutex(State())

        func apply(_ routes: [RoutingTable.Route]) async throws {
            try state.withLock { state in
                guard state.isThere else { throw Failure(code: "proxy-unreachable", "not there") }
                state.told.append(routes)
                state.isLost = false
            }
        }
        func drain(_ upstream: String, port: UInt16?, _ time: TimeSpan) async throws -> (
            ProxyReply.Counters, cut: UInt64
        ) { (.init(upstream: upstream), 0) }
        func counters() async throws -> [ProxyReply.Counters] { [] }
        func status() async throws -> ProxyStatus { ProxyStatus(name: "program 1") }
        func isInForce() async -> Bool { state.withLock { $0.isThere && !$0.isLost } }
    }

    @Test func routesAreToldWhenTheProgramComesAndWhenItHasLostThem() async throws {
        try await TemporaryDirectory.with { directory in
            let program = Program()
            program.state.withLock { $0.isThere = false }
            let routes = Routes(driver: program)
            let live = SwapLoad.route(1, [1])
            await #expect(throws: Failure.self) { try await routes.replace([live], policies: [:]) }
            // What leads nowhere needs nobody; what is to serve does.
            try await routes.set(.init(identifier: "new/production", hosts: []))
            await #expect(throws: Failure.self) { try await routes.set(SwapLoad.route(2, [2])) }
            let reports = Reports()
            let external = ExternalProxy(routes: routes, home: Home(directory))
            let watch = Task { await external.watch { reports.add($0) } }
            try await until("the trouble is told") { reports.all.count == 1 }
            program.state.withLock { $0.isThere = true }
            await external.ready()
            let told = program.state.withLock { $0.told.last ?? [] }
            #expect(told.map(\.identifier) == ["hello/production", "new/production"])
            #expect(told.first?.upstream == live.upstream)
            program.state.withLock { $0.isLost = true }
            try await until("it is told again") { program.state.withLock { $0.told.count == 2 } }
            watch.cancel()
            await watch.value
            #expect(reports.all.first?.contains("proxy-unreachable") == true)
        }
    }

    private final class Reports: Sendable {
        private let list = Mutex<[String]>([])
        func add(_ text: String) { list.withLock { $0.append(text) } }
        var all: [String] { list.withLock { $0 } }
    }

    @Test func theProxyOfAnEarlierServerIsEndedOnceTheOtherOneServes() async throws {
        try await TemporaryDirectory.with { directory in
            let home = Home(directory)
            try home.prepare()
            let own = Routes(socket: home.proxySocket)
            let embedded = ProxyProcess(
                home: home,
                supervisors: SupervisorClient(runtime: "\(try Products.directory())/kinto-runtime"),
                settings: ProxySettings(
                    listen: try ListenAddress("127.0.0.1:\(try FreePort.take())", option: "--proxy-listen")),
                version: "1", routes: own)
            let serving = try await embedded.ensure()
            let program = Program()
            program.state.withLock { $0.isThere = false }
            let external = ExternalProxy(routes: Routes(driver: program), home: home)
            let watch = Task { await external.watch { _ in } }
            #expect(serving.process.isRunning)
            program.state.withLock { $0.isThere = true }
            try await until("the end of kinto's own proxy") {
                !serving.process.isRunning && serving.supervisor?.isRunning == false
            }
            watch.cancel()
            await watch.value
        }
    }
}
