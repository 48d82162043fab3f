// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// The soaks in their short form: what `make soak`, `make soak-swaps` and `make crash` show at length.
@Suite(.timeLimit(.minutes(20)))
struct SoakTests {
    @Test(arguments: [[], ["--broken"]])
    func nothingIsDroppedSeenTwiceOrLeftOver(options: [String]) async throws {
        try await run("soak", ["--deploys", "21"] + options)
    }

    @Test func nothingIsMixedUpOverSwapAfterSwap() async throws {
        try await run(
            "soak-swaps", ["--swaps", "40", "--minutes", "0.1", "--window", "2", "--rate", "100"])
    }

    /// Scenarios 1, 3 and 4 of a server that dies: each point once, then at any moment.
    @Test func aServerThatDiesAnywhereGoesOn() async throws {
        try await run(
            "crash", ["--runs", "1", "--kills", "10", "--seconds", "12", "--rate", "50", "--within", "60"])
    }

    private func run(_ script: String, _ options: [String]) async throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let done = try await Command.run(
            root.appendingPathComponent("scripts/\(script)").path, options,
            environment: Products.environment())
        let text = done.output
        #expect(done.status == 0, "\(text)")
        #expect(text.hasSuffix("\(script): ok\n"), "\(text)")
    }
}
