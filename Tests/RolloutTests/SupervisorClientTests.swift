// SPDX-License-Identifier: Apache-2.0
import Foundation
import KintoCore
import TestSupport
import Testing
import Wire

@testable import Rollout

/// Real supervisors with real commands.
@Suite(.timeLimit(.minutes(20)))
struct SupervisorClientTests {
    private let client: SupervisorClient

    init() throws { client = SupervisorClient(runtime: try Products.directory() + "/kinto-runtime") }

    private func spec(_ command: String, in directory: String, home: String = "none") -> SupervisorSpec {
        SupervisorSpec(
            identifier: UUID().uuidString, mode: .service, command: command, workingDirectory: directory,
            environment: ["PATH=/usr/bin:/bin", "KINTO_HOME_ID=\(home)"], logPath: "\(directory)/console.log",
            logStyle: .console, logLimit: 1 << 20, secrets: [], statePath: "\(directory)/web.1.state",
            stopSignal: SIGTERM, stopGrace: 500)
    }

    @Test func whatCouldNotBeRecordedNeverRuns() async throws {
        try await TemporaryDirectory.with { directory in
            struct Full: Error {}
            var supervisor: ProcessIdentity?
            await #expect(throws: Full.self) {
                try await client.start(spec("touch ran; sleep 60", in: directory)) { identity in
                    try Files.replace("\(directory)/pid", with: Array("\(identity.pid)".utf8))
                    throw Full()
                }
            }
            let pid = Int32(String(decoding: try Files.read("\(directory)/pid"), as: UTF8.self)) ?? 0
            supervisor = ProcessIdentity(running: pid)
            #expect(supervisor?.isRunning != true)
            #expect(!Files.exists("\(directory)/ran"))
        }
    }

    @Test func aStopLeavesNothingOfTheTree() async throws {
        try await TemporaryDirectory.with { directory in
            // One that left its session, one that hid its environment, one that ignores TERM.
            let handle = try await client.start(
                spec(
                    "setsid sleep 71 & env -i sleep 72 & (trap '' TERM; sleep 73; sleep 74) & exec sleep 75",
                    in: directory)
            ) { _ in }
            try await until("the tree") { ProcessTable.descendants(of: handle.supervisor.pid).count >= 5 }
            let tree = ProcessTable.descendants(of: handle.supervisor.pid).compactMap {
                ProcessIdentity(running: $0)
            }
            await handle.stop(grace: 300)
            #expect(tree.count >= 5)
            #expect(tree.allSatisfy { !$0.isRunning })
            #expect(!handle.isRunning)
            #expect(try SupervisorState.read("\(directory)/web.1.state")?.phase == .ended)
        }
    }

    /// After a crash nobody may know a supervisor: killing its service would only make it start another.
    @Test func straysAreEndedWithTheirSupervisors() async throws {
        try await TemporaryDirectory.with { directory in
            let home = UUID().uuidString
            let handle = try await client.start(
                spec("echo started >> starts; sleep 81", in: directory, home: home)
            ) { _ in }
            try await until("the service") { Files.exists("\(directory)/starts") }
            let tree = ProcessTable.descendants(of: handle.supervisor.pid).compactMap {
                ProcessIdentity(running: $0)
            }
            try await Blocking.run { Strays.end { $0.contains("KINTO_HOME_ID=\(home)") } }
            #expect(!handle.isRunning)
            #expect(!tree.isEmpty && tree.allSatisfy { !$0.isRunning })
            #expect(String(decoding: try Files.read("\(directory)/starts"), as: UTF8.self) == "started\n")
        }
    }

    /// The supervisor is killed by someone (out of memory): its service is found by its mark.
    @Test func aStopFindsTheTreeOfAKilledSupervisor() async throws {
        try await TemporaryDirectory.with { directory in
            let handle = try await client.start(spec("echo up; sleep 91", in: directory)) { _ in }
            try await until("the service") {
                ProcessTable.descendants(of: handle.supervisor.pid).count >= 2
            }
            let tree = ProcessTable.descendants(of: handle.supervisor.pid).compactMap {
                ProcessIdentity(running: $0)
            }
            handle.supervisor.send(SIGKILL)
            try await until("its end") { !handle.isRunning }
            #expect(tree.contains { $0.isRunning })
            await handle.stop()
            #expect(tree.allSatisfy { !$0.isRunning })
        }
    }

    /// Scenario 69: between the death of a service with its supervisor and the stop, both numbers were given to others.
    @Test func whoeverWasGivenTheNumbersOfTheDeadStaysAlive() async throws {
        try await TemporaryDirectory.with { directory in
            let handle = try await client.start(spec("exec sleep 600", in: directory)) { _ in }
            try await until("the service") { handle.state()?.process != nil }
            let service = try #require(handle.state()?.process)
            for process in [handle.supervisor, service] { process.send(SIGKILL) }
            try await until("their end") { !handle.supervisor.isRunning && !service.isRunning }
            // The test is their parent, as the server is of its supervisors: a number is free when it was waited for.
            var status: Int32 = 0
            waitpid(handle.supervisor.pid, &status, 0)
            try await until("the service's number") { kill(service.pid, 0) != 0 }
            var others: [pid_t] = []
            defer {
                for other in others {
                    kill(other, SIGKILL)
                    waitpid(other, nil, 0)
                }
            }
            for process in [handle.supervisor, service] {
                // Not root: a living process of another start time, which is all that tells them apart.
                let other = try geteuid() == 0 ? sleeper(numbered: process.pid) : sleeper()
                others.append(other)
                let reused = ProcessIdentity(
                    pid: other, startTicks: process.startTicks, boot: process.boot)
                #expect(geteuid() != 0 || reused == process)
                #expect(!reused.isRunning)
                #expect(!reused.send(SIGKILL))
                #expect(reused.open() == nil)
            }
            await handle.stop(grace: 0)
            try await Blocking.run {
                Strays.end { $0.contains("KINTO_INSTANCE_ID=\(handle.identifier)") }
            }
            for other in others {
                let identity = try #require(ProcessIdentity(running: other))
                #expect(identity.isRunning, "process \(other) was ended for another")
            }
        }
    }

    private func sleeper() throws -> pid_t {
        try Spawn(path: "/bin/sleep", arguments: ["sleep", "600"], environment: ["PATH=/usr/bin:/bin"])
            .start()
    }

    /// A process that the kernel gives this number: it takes the next one after the last (proc(5), ns_last_pid). Others may
    /// be faster; the count goes on from where it was.
    private func sleeper(numbered pid: pid_t) throws -> pid_t {
        let path = "/proc/sys/kernel/ns_last_pid"
        for _ in 0..<5000 {
            let last = try Files.read(path)
            try Descriptor.open(path, O_WRONLY).writeAll("\(pid - 1)".utf8)
            let got = try sleeper()
            try Descriptor.open(path, O_WRONLY).writeAll(last)
            if got == pid { return got }
            kill(got, SIGKILL)
            waitpid(got, nil, 0)
        }
        throw Trouble("the number \(pid) was not to be had")
    }
}
