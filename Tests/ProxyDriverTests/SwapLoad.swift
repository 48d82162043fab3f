// SPDX-License-Identifier: Apache-2.0
import Foundation
import KintoCore
import TestSupport
import Testing
import Wire

@testable import Rollout

/// Swaps under load: each to a new process, the old one stopped without grace as soon as the driver says that it may be.
enum SwapLoad {
    /// How many swaps: few in the ordinary suite.
    static var swaps: Int { Int(ProcessInfo.processInfo.environment["KINTO_SWAPS"] ?? "") ?? 4 }

    /// Of the visitors. Each may be lost once at a swap by a proxy that closes those that rest.
    static let connections = 32

    struct Report: Decodable {
        let requests, failed, reconnects: Int
        let kinds: [String: Int]
        let firstFailures: [String]
        let releases: [Count]
        struct Count: Decodable { let release, count: Int }
    }

    static func route(_ release: Int, _ ports: [UInt16], hosts: [String] = ["hello.localhost"])
        -> RoutingTable
        .Route
    {
        RoutingTable.Route(
            identifier: "hello/production", hosts: hosts,
            upstream: .init(identifier: "hello/production/\(release)", ports: ports))
    }

    static func run(_ proxy: RealProxy, _ driver: any ProxyDriver) async throws -> Report {
        var live = try await Instance(release: 1)
        defer { live.stop() }
        try await driver.apply([route(1, [live.port])])
        let report = "\(proxy.directory)/load.json"
        let load = Process()
        load.executableURL = URL(fileURLWithPath: "\(try Products.directory())/kinto-load")
        load.arguments = [
            "--connect", "127.0.0.1:\(proxy.port)", "--host", "hello.localhost", "--rate", "300",
            "--connections", "\(connections)", "--json", report,
        ]
        try load.run()
        var slowest = Duration.zero
        do {
            for release in 2...(swaps + 1) {
                try await live.serves()
                let next = try await Instance(release: release)
                let time = try await ContinuousClock().measure {
                    try await driver.apply([route(release, [next.port])])
                }
                slowest = max(slowest, time)
                let answer = await proxy.get()?.body
                #expect(answer == "release=\(release) ", "after the swap was said to be over")
                _ = try await driver.drain("hello/production/\(release - 1)", port: nil, .seconds(120))
                live.stop()
                live = next
            }
            try await live.serves()
        } catch {
            load.terminate()
            load.waitUntilExit()
            throw error
        }
        load.terminate()
        await onThread { load.waitUntilExit() }
        let seen = try JSONDecoder().decode(Report.self, from: Data(contentsOf: URL(fileURLWithPath: report)))
        print(
            "\(swaps) swaps: \(seen.requests) requests, \(seen.failed) failed \(seen.kinds), \(seen.reconnects) connections made anew; slowest swap \(slowest)"
        )
        return seen
    }
}
