// SPDX-License-Identifier: Apache-2.0
import Foundation
import KintoCore
import TestSupport
import Testing
import Wire

@testable import Rollout

/// Builds and release commands as they run: real supervisors, real commands.
@Suite(.timeLimit(.minutes(20)))
struct JobTests {
    private let client: SupervisorClient

    init() throws { client = SupervisorClient(runtime: try Products.directory() + "/kinto-runtime") }

    private func run(
        _ command: String, in directory: String, grace: Int = 500, timeout: Int = 200_000, silence: Int = 0,
        limit: Int = 1 << 20, secrets: [String] = []
    ) async throws -> (state: SupervisorState, log: String) {
        let state = try await client.run(
            SupervisorSpec(
                identifier: UUID().uuidString, mode: .job, command: command, workingDirectory: directory,
                environment: ["PATH=/usr/bin:/bin"], logPath: "\(directory)/job.log", logStyle: .detail,
                logLimit: limit, secrets: secrets, statePath: "\(directory)/job.state", stopSignal: SIGTERM,
                stopGrace: grace, timeout: timeout, silence: silence))
        return (state, String(decoding: (try? Files.read("\(directory)/job.log")) ?? [], as: UTF8.self))
    }

    /// Scenario 44.
    @Test(arguments: [
        ("exit 0", SupervisorState.Ending.exited(code: 0)), ("exit 7", .exited(code: 7)),
        ("nosuchprogram", .exited(code: 127)), ("echo true > program; ./program", .exited(code: 126)),
        ("kill -9 $$", .signaled(9)),
        ("exec kill -TERM $$", .signaled(15)),
    ])
    func theEndIsTold(command: String, ending: SupervisorState.Ending) async throws {
        try await TemporaryDirectory.with { directory in
            let (state, _) = try await run(command, in: directory)
            #expect(state.phase == .ended)
            #expect(state.ending == ending)
            #expect(state.cause == .itself)
        }
    }

    @Test func aDirectoryThatIsNotThereIsTold() async throws {
        try await TemporaryDirectory.with { directory in
            let spec = SupervisorSpec(
                identifier: UUID().uuidString, mode: .job, command: "true",
                workingDirectory: "\(directory)/gone",
                environment: [], logPath: "\(directory)/job.log", logStyle: .detail, logLimit: 1 << 20,
                secrets: [], statePath: "\(directory)/job.state", stopSignal: SIGTERM, stopGrace: 500)
            guard case .unstartable(let code, _) = try await client.run(spec).ending else {
                Issue.record("it was started")
                return
            }
            #expect(code == ENOENT)
        }
    }

    @Test func outputIsLoggedInCleanLinesWithoutSecrets() async throws {
        try await TemporaryDirectory.with { directory in
            let (_, log) = try await run(
                #"echo one; printf 'half'; sleep 4; echo ' more'; printf ' 10%%\r 90%%\rdone\n'; printf 'bad \377 byte\n'; echo "token=s3cret-token!" >&2; printf 'no end'"#,
                in: directory, secrets: ["s3cret-token!"])
            let lines = log.split(separator: "\n").map { String($0.dropFirst(25)) }
            #expect(
                lines == [
                    "       one", "       half", "        more", "       done", "       bad \u{FFFD} byte",
                    "       token=[redacted]", "       no end",
                ], "\(log)")
            #expect(
                log.split(separator: "\n").allSatisfy {
                    (try? Date(
                        $0.prefix(24).description,
                        strategy: .iso8601.year().month().day()
                            .time(includingFractionalSeconds: true))) != nil
                }, "\(log)")
        }
    }

    @Test(arguments: [(300, 0, SupervisorState.Cause.timeout), (20_000, 300, .silence)])
    func aLimitEndsTheWholeTree(timeout: Int, silence: Int, cause: SupervisorState.Cause) async throws {
        try await TemporaryDirectory.with { directory in
            // Neither the shell nor its children go by themselves.
            let mark = "2\(UInt32.random(in: 100_000...999_999))"
            let (state, _) = try await run(
                "trap '' TERM; setsid sleep \(mark) & sleep \(mark); sleep \(mark)", in: directory,
                timeout: timeout,
                silence: silence)
            #expect(state.cause == cause)
            #expect(state.phase == .ended)
            #expect(!isRunning(mark))
        }
    }

    @Test func outputOnlyResetsTheSilence() async throws {
        try await TemporaryDirectory.with { directory in
            let (state, _) = try await run(
                "for i in 1 2 3 4 5 6 7 8 9 10; do echo $i; sleep 1; done", in: directory, silence: 8_000)
            #expect(state.ending == .exited(code: 0))
            #expect(state.cause == .itself)
        }
    }

    /// A daemon that left its session and holds the output open neither lives on nor holds the job up.
    @Test func whatAJobLeavesBehindIsEnded() async throws {
        try await TemporaryDirectory.with { directory in
            let mark = "3\(UInt32.random(in: 100_000...999_999))"
            let (state, log) = try await run(
                "setsid nohup sh -c 'setsid sleep \(mark) & touch one; sleep \(mark)' & (trap '' TERM HUP; touch two; sleep \(mark); sleep \(mark)) & until [ -e one ] && [ -e two ]; do sleep 0.02; done; echo over",
                in: directory)
            #expect(state.ending == .exited(code: 0))
            #expect(state.leftBehind >= 3)
            #expect(!isRunning(mark))
            #expect(log.contains("over"))
        }
    }

    @Test func outputBeyondTheLimitKeepsItsBeginningAndItsEnd() async throws {
        try await TemporaryDirectory.with { directory in
            let (state, log) = try await run(
                "seq -f 'line %.0f' 1 200000", in: directory, limit: 256 << 10)
            #expect(state.ending == .exited(code: 0))
            #expect(log.utf8.count < 400 << 10)
            #expect(log.contains("       line 1\n"))
            #expect(log.contains("lines left out here"))
            #expect(log.hasSuffix("       line 200000\n"), "\(log.suffix(100))")
        }
    }

    @Test func aFloodDoesNotKeepAnAbortWaiting() async throws {
        try await TemporaryDirectory.with { directory in
            let task = Task { try await run("yes", in: directory, timeout: 60_000) }
            try await until("output") { ((try? Files.read("\(directory)/job.log").count) ?? 0) > 100_000 }
            task.cancel()
            await #expect(throws: CancellationError.self) { _ = try await task.value }
            let state = try #require(try SupervisorState.read("\(directory)/job.state"))
            #expect(state.phase == .ended)
            #expect(state.cause == .stopped)
        }
    }

    @Test func aLogThatCannotBeWrittenHoldsNothingUp() async throws {
        try await TemporaryDirectory.with { directory in
            let state = try await client.run(
                SupervisorSpec(
                    identifier: UUID().uuidString, mode: .job, command: "seq 1 100000; exit 3",
                    workingDirectory: directory,
                    environment: ["PATH=/usr/bin:/bin"], logPath: "/dev/full", logStyle: .detail,
                    logLimit: 1 << 20,
                    secrets: [], statePath: "\(directory)/job.state", stopSignal: SIGTERM, stopGrace: 500))
            #expect(state.ending == .exited(code: 3))
        }
    }

    /// Random bytes in the place of a specification end the supervisor, not with a trap.
    @Test func aMalformedSpecificationIsRefused() async throws {
        let runtime = try Products.directory() + "/kinto-runtime"
        var generator = SystemRandomNumberGenerator()
        for round in 0..<40 {
            var bytes = (0..<Int.random(in: 0...200, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            // Lengths of every size.
            if round % 2 == 0 {
                bytes = Array(repeating: UInt8(truncatingIfNeeded: round * 13), count: 8) + bytes
            }
            let process = Process()
            process.executableURL = URL(fileURLWithPath: runtime)
            process.arguments = ["supervise"]
            let input = Pipe()
            process.standardInput = input
            try process.run()
            try? input.fileHandleForWriting.write(contentsOf: bytes)
            try input.fileHandleForWriting.close()
            await onThread { process.waitUntilExit() }
            #expect(process.terminationReason == .exit)
            #expect([0, 2].contains(process.terminationStatus))
        }
    }

    private func isRunning(_ word: String) -> Bool {
        ProcessTable.all().contains { pid in
            (try? Files.read("/proc/\(pid)/cmdline")).map {
                $0.starts(with: "sleep\0".utf8) && String(decoding: $0, as: UTF8.self).contains(word)
            } ?? false
        }
    }
}
