// SPDX-License-Identifier: Apache-2.0
import Foundation
import KintoCore
import TestSupport
import Testing
import Wire

@testable import Rollout

/// Services as they live under their supervisors.
@Suite(.timeLimit(.minutes(20)))
struct ServiceTests {
    private let client: SupervisorClient

    init() throws { client = SupervisorClient(runtime: try Products.directory() + "/kinto-runtime") }

    /// Runs `body` with a service that is gone afterwards.
    private func with(
        _ command: String, signal: Int32 = SIGTERM, grace: Int = 1_000, limit: Int = 1 << 20,
        _ body: (SupervisorHandle, String) async throws -> Void
    ) async throws {
        try await TemporaryDirectory.with { directory in
            let handle = try await client.start(
                SupervisorSpec(
                    identifier: UUID().uuidString, mode: .service, command: command,
                    workingDirectory: directory,
                    environment: ["PATH=/usr/bin:/bin"], logPath: "\(directory)/console.log",
                    logStyle: .console,
                    logLimit: limit, secrets: [], statePath: "\(directory)/web.1.state", stopSignal: signal,
                    stopGrace: grace)
            ) { _ in }
            do { try await body(handle, directory) } catch {
                await handle.stop(grace: 0)
                throw error
            }
            await handle.stop()
            #expect(!handle.isRunning)
        }
    }

    @Test func oneThatEndsIsStartedAgainEachTimeLater() async throws {
        try await with("echo up; exit 3") { handle, directory in
            var seen: [SupervisorState] = []
            for await observation in handle.observations() {
                guard case .state(let state) = observation else { break }
                seen.append(state)
                if state.restarts >= 2 { break }
            }
            #expect(seen.contains { $0.phase == .waiting && $0.ending == .exited(code: 3) })
            #expect(seen.last?.restarts ?? 0 >= 2)
            let log = String(decoding: try Files.read("\(directory)/console.log"), as: UTF8.self)
            #expect(log.contains("exited with code 3"))
            #expect(log.contains("starting again in 100 ms"))
            #expect(log.contains("starting again in 1000 ms"))
        }
    }

    @Test func theStopSignalReachesTheApplication() async throws {
        try await with(
            "trap 'echo bye > bye; exit 0' INT; echo up; while :; do sleep 0.05; done", signal: SIGINT,
            grace: 100_000
        ) {
            handle, directory in
            try await until("the service") { ((try? Files.read("\(directory)/console.log").count) ?? 0) > 0 }
            await handle.stop()
            #expect(try Files.read("\(directory)/bye") == Array("bye\n".utf8))
            let state = try #require(handle.state())
            #expect(state.phase == .ended)
            #expect(state.cause == .stopped)
            #expect(state.ending == .exited(code: 0))
        }
    }

    @Test func oneThatIgnoresTheSignalIsKilledAfterItsGrace() async throws {
        try await with("trap '' TERM; echo up; while :; do sleep 0.05; done", grace: 200) {
            handle, directory in
            try await until("the service") { ((try? Files.read("\(directory)/console.log").count) ?? 0) > 0 }
            await handle.stop()
            #expect(handle.state()?.ending == .signaled(9))
        }
    }

    /// Each part holds whole lines and nothing between the two is lost.
    @Test func theConsoleLogIsRotatedInWholeLines() async throws {
        try await with(
            "for i in 0 1 2 3; do seq -f 'line %.0f' $((i * 1000 + 1)) $((i * 1000 + 1000)); sleep 0.3; done; exec sleep 100",
            limit: 64 << 10
        ) { _, directory in
            try await until("all lines") {
                (try? Files.read("\(directory)/console.log")).map {
                    String(decoding: $0, as: UTF8.self).hasSuffix(" line 4000\n")
                } ?? false
            }
            let parts = try ["console.log.1", "console.log"].map { try Files.read("\(directory)/\($0)") }
            #expect(parts.allSatisfy { $0.count <= 128 << 10 && $0.last == 0x0A })
            // Time, "line", number: the first line of a part is kinto's own.
            let numbers = parts.flatMap { $0.split(separator: 0x0A) }.compactMap { line -> Int? in
                let words = String(decoding: line, as: UTF8.self).split(separator: " ")
                return words.count == 3 && words[1] == "line" ? Int(words[2]) : nil
            }
            #expect(numbers.last == 4000)
            #expect(numbers == Array((numbers.first ?? 0)...4000))
        }
    }

    /// The kernel's killer takes the supervisor of a busy host: the server is told.
    @Test func aKilledSupervisorIsNoticed() async throws {
        try await with("exec sleep 100") { handle, _ in
            var isLost = false
            for await observation in handle.observations() {
                switch observation {
                case .state(let state) where state.process != nil: handle.supervisor.send(SIGKILL)
                case .state: continue
                case .lost: isLost = true
                }
            }
            #expect(isLost)
        }
    }
}
