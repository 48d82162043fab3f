// SPDX-License-Identifier: Apache-2.0
import Foundation
import KintoCore
import TestSupport
import Testing
import Wire

@testable import Rollout

/// Real supervisors and commands that do not want to end, with what this machine's kernel offers and without.
@Suite(.timeLimit(.minutes(20)))
struct ContainmentTests {
    /// How a tree is kept together.
    enum Means: String, CaseIterable { case kernel, supervisor }

    private let client: SupervisorClient

    init() throws { client = SupervisorClient(runtime: try Products.directory() + "/kinto-runtime") }

    /// A directory, groups of the test's own, and afterwards the proof that nothing of them is left.
    private func with(
        _ means: Means, _ body: (String, ControlGroups) async throws -> Void
    ) async throws {
        try await TemporaryDirectory.with { directory in
            let name = "kinto-test-\(UUID().uuidString)"
            let groups = means == .kernel ? ControlGroups.probe(name) : ControlGroups()
            try await body(directory, groups)
            for parent in [groups.unified].compactMap(\.self) + groups.legacy.values {
                try await until("the end of \(parent)") { !Files.exists(parent) }
            }
        }
    }

    private func job(_ command: String, in directory: String, _ bounds: Confinement, grace: Int = 500)
        -> SupervisorSpec
    {
        SupervisorSpec(
            identifier: UUID().uuidString, mode: .job, command: command, workingDirectory: directory,
            environment: ["PATH=/usr/bin:/bin"], logPath: "\(directory)/job.log", logStyle: .detail,
            logLimit: 1 << 20, statePath: "\(directory)/job.state", stopGrace: grace, timeout: 300_000,
            confinement: bounds)
    }

    /// Scenario 45: TERM ignored, parents left by two forks and sessions, the output held open: all is gone one second
    /// after the grace.
    @Test(arguments: Means.allCases)
    func nothingOfAJobThatIsStoppedIsLeft(_ means: Means) async throws {
        try await with(means) { directory, groups in
            let mark = "4\(UInt32.random(in: 100_000...999_999))"
            let spec = job(
                """
                trap '' TERM HUP INT
                (setsid sh -c "trap '' TERM; setsid sh -c 'trap \\"\\" TERM; sleep \(mark)' & sleep \(mark)" &)
                (setsid sleep \(mark) >/dev/null 2>&1 </dev/null &)
                env -i /bin/sh -c "exec /bin/sleep \(mark)" &
                sh -c 'kill -STOP $$' &
                touch ready
                sleep \(mark); sleep \(mark)
                """, in: directory, Confinement(groups: groups))
            let task = Task { try await client.run(spec) }
            try await until("the tree") { running(mark) >= 5 && Files.exists("\(directory)/ready") }
            let state = try #require(try SupervisorState.read(spec.statePath))
            let clock = ContinuousClock()
            let watch = Task { await lateness() }
            let time = await clock.measure {
                await SupervisorHandle(
                    supervisor: state.supervisor, statePath: spec.statePath, identifier: spec.identifier,
                    grace: 500
                ).stop()
            }
            #expect(running(mark) == 0)
            watch.cancel()
            let late = await watch.value
            // The grace and a second, and what a machine with other work takes for it.
            #expect(time < .seconds(10) + late * 4, "\(time), the machine was \(late) late")
            #expect(try await task.value.phase == .ended)
        }
    }

    /// Scenario 45: what went into a group of somebody else's, as root may, ends with the job.
    @Test func whatLeftTheGroupEndsWithIt() async throws {
        try await with(.kernel) { directory, groups in
            let mark = "3\(UInt32.random(in: 100_000...999_999))"
            let other = groups.unified.map { "\($0)-other" }
            if let other { try check("mkdir", other) { mkdir(other, 0o755) } }
            defer { if let other { rmdir(other) } }
            let spec = job(
                """
                (echo 0 > \(other ?? "/dev/null")/cgroup.procs; exec setsid sleep \(mark)) &
                echo $! > left.new && mv left.new left
                sleep \(mark)
                """, in: directory, Confinement(groups: groups), grace: 0)
            let task = Task { try await client.run(spec) }
            try await until("the tree") { running(mark) >= 2 && Files.exists("\(directory)/left") }
            if other != nil {
                let pid = try String(contentsOfFile: "\(directory)/left", encoding: .utf8).dropLast()
                let group = try String(contentsOfFile: "/proc/\(pid)/cgroup", encoding: .utf8)
                #expect(group.contains("-other\n"), "\(group)")
            }
            let state = try #require(try SupervisorState.read(spec.statePath))
            await SupervisorHandle(
                supervisor: state.supervisor, statePath: spec.statePath, identifier: spec.identifier, grace: 0
            ).stop()
            #expect(running(mark) == 0)
            #expect(try await task.value.phase == .ended)
        }
    }

    /// Scenario 45: What a job leaves behind does not keep its end.
    @Test(arguments: Means.allCases)
    func whatHoldsTheOutputOpenDoesNotHoldTheJob(_ means: Means) async throws {
        try await with(means) { directory, groups in
            let mark = "5\(UInt32.random(in: 100_000...999_999))"
            let state = try await client.run(
                job(
                    "(trap '' TERM; setsid sleep \(mark) &) ; (setsid setsid sleep \(mark) &); sleep 0.1; echo over",
                    in: directory, Confinement(groups: groups)))
            #expect(state.ending == .exited(code: 0))
            #expect(state.leftBehind >= 2)
            #expect(running(mark) == 0)
        }
    }

    /// Scenario 45: The end that a timeout brings leaves nothing either.
    @Test(arguments: Means.allCases)
    func nothingOfAJobThatTakesTooLongIsLeft(_ means: Means) async throws {
        try await with(means) { directory, groups in
            let mark = "7\(UInt32.random(in: 100_000...999_999))"
            var spec = job(
                """
                trap '' TERM
                (setsid sh -c "trap '' TERM; exec sleep \(mark)" >/dev/null 2>&1 &)
                touch ready
                sleep \(mark); sleep \(mark)
                """, in: directory, Confinement(groups: groups), grace: 300)
            // So long that the tree is there, however slow the machine is.
            for timeout in [1500, 15_000, 90_000] {
                spec.timeout = timeout
                let state = try await client.run(spec)
                #expect(state.cause == .timeout)
                #expect(running(mark) == 0)
                if Files.exists("\(directory)/ready") { break }
            }
            #expect(Files.exists("\(directory)/ready"))
            #expect(running(mark) == 0)
        }
    }

    /// A build takes what services leave, and beside services that leave nothing its share after a while: it ends.
    @Test func aBuildBesideProgramsThatTakeAllProcessorsEnds() async throws {
        try await with(.kernel) { directory, groups in
            let builds = groups.background
            var spec = job(
                "touch ready; i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done; echo done", in: directory,
                Confinement(groups: builds, isBackground: true))
            spec.timeout = 280_000
            let place = ((builds.has(.cpu) ? builds.legacy[.cpu] : nil) ?? builds.unified).map {
                "\($0)/cpu.idle"
            }
            let count = sysconf(Int32(_SC_NPROCESSORS_ONLN))
            let others = try (0..<count).map { _ in
                try Process.run(
                    URL(fileURLWithPath: "/bin/sh"),
                    arguments: ["-c", "ulimit -t 300; while :; do :; done"])
            }
            // SIGTERM may be blocked in what the test runner starts.
            defer { for other in others { kill(other.processIdentifier, SIGKILL) } }
            let state = Task { try await client.run(spec) }
            if let place, FileManager.default.fileExists(atPath: place) {
                // Its share, at the latest when it had nothing for two seconds.
                try await until("the share") { (try? Files.read(place)) == Array("0\n".utf8) }
            }
            #expect(try await state.value.ending == .exited(code: 0))
        }
    }

    /// Scenario 48: a flood of text, a line without an end, binary, colours, carriage returns and NUL. The supervisor reads
    /// it all, keeps head and tail, and stays small. The whole gigabytes are `scripts/hostile`'s.
    @Test func aFloodCostsItsSupervisorNoMemory() async throws {
        try await with(.kernel) { directory, groups in
            let spec = job(
                """
                echo head
                yes | head -c 2M
                head -c 2M /dev/zero | tr '\\0' x
                head -c 256K /dev/urandom; head -c 128K /dev/zero
                for i in 1 2 3; do printf '\\r%s%%\\033[31m\\033]0;title\\007</script>\\000\\377' $i; done
                echo; grep VmHWM /proc/$PPID/status
                echo tail
                """, in: directory, Confinement(groups: groups))
            let state = try await client.run(spec)
            #expect(state.ending == .exited(code: 0))
            // Facts of their own: a failure shows what it is about, and this is a megabyte.
            let log = try Files.read(spec.logPath)
            let bytes = log.count
            #expect(bytes > 1 << 20 && bytes < 5 << 18)
            let isClean =
                !log.contains(0) && !log.contains(0x07) && String(validating: log, as: UTF8.self) != nil
            #expect(isClean)
            let lines = log.split(separator: UInt8(ascii: "\n"))
            func text(_ line: ArraySlice<UInt8>?) -> String { String(decoding: line ?? [], as: UTF8.self) }
            let (first, last) = (text(lines.first), text(lines.last))
            #expect(first.hasSuffix("head"))
            #expect(last.hasSuffix("tail"))
            let hasMark = lines.contains { text($0.prefix(200)).contains("lines left out here") }
            #expect(hasMark)
            let hasMarkup = lines.suffix(50).contains { text($0).contains("</script>") }
            #expect(hasMarkup)
            // At most so far, in kB.
            let size = try #require(
                text(lines.suffix(50).last { text($0).contains("VmHWM") }).split(
                    whereSeparator: \.isWhitespace
                ).dropLast().last)
            #expect(try #require(Int(size)) < 64 << 10, "\(size) KiB")
        }
    }

    /// Whoever writes without end waits at the pipe: reading takes a tenth of a processor, however fast the machine is.
    @Test func readingAFloodLeavesTheProcessorToOthers() async throws {
        try await with(.kernel) { directory, groups in
            let spec = job(
                "timeout 3 yes; cat /proc/$PPID/stat > used; echo tail", in: directory,
                Confinement(groups: groups))
            let began = ContinuousClock.now
            let state = try await client.run(spec)
            let took = ContinuousClock.now - began
            #expect(state.ending == .exited(code: 0))
            #expect(String(decoding: try Files.tail(spec.logPath, 5), as: UTF8.self) == "tail\n")
            // In hundredths of a second, own and kernel's; behind the name, which may have blanks.
            let words =
                String(decoding: try Files.read("\(directory)/used"), as: UTF8.self)
                .split(separator: ")").last?.split(separator: " ").map(String.init) ?? []
            let used = try words.dropFirst(11).prefix(2).map { try #require(Int($0)) }.reduce(0, +)
            // What it may take at first, its own start, and the last turn.
            #expect(.milliseconds(used * 10) < took / 10 + .milliseconds(400), "\(used) of \(took)")
        }
    }

    /// What answers visitors interrupts what calculates (Linux 6.12 and newer); what builds interrupts nobody.
    @Test(arguments: [false, true])
    func servicesInterruptAndBuildsDoNot(isBackground: Bool) async throws {
        try await with(.kernel) { directory, groups in
            let spec = job(
                "grep -E '^(se.slice|policy) ' /proc/self/sched; true", in: directory,
                Confinement(groups: groups, isBackground: isBackground))
            #expect(try await client.run(spec).ending == .exited(code: 0))
            let lines = String(decoding: try Files.read(spec.logPath), as: UTF8.self).split(separator: "\n")
            func value(_ name: String) -> Int? {
                lines.first { $0.contains(name) }?.split(separator: " ").last.flatMap { Int($0) }
            }
            // SCHED_BATCH. A kernel may be built without the file.
            if let policy = value("policy") { #expect(policy == (isBackground ? 3 : 0)) }
            if let slice = value("se.slice") { #expect((slice == 100_000) == !isBackground) }
        }
    }

    /// Scenario 46: The limit ends it and is named; the bomb is bounded twice over, so that a defect cannot take the
    /// machine.
    @Test(arguments: Means.allCases)
    func aForkBombMeetsItsLimit(_ means: Means) async throws {
        try await with(means) { directory, groups in
            let state = try await client.run(
                job(
                    ContainmentTests.bomb, in: directory,
                    Confinement(groups: groups, processes: 60, isBackground: true)))
            #expect(state.cause == .processes)
            #expect(state.phase == .ended)
            #expect(working(in: directory) == 0)
            let log = String(decoding: try Files.read("\(directory)/job.log"), as: UTF8.self)
            #expect(log.contains("out of processes: the limit is 60"), "\(log.suffix(300))")
        }
    }

    /// One that does nothing but ask for processes is started again, and its log says why, whoever counts them.
    @Test(arguments: Means.allCases)
    func aServiceThatAsksForProcessesWithoutEndIsStartedAgain(_ means: Means) async throws {
        try await with(means) { directory, groups in
            var spec = job(
                """
                [ -e again ] && { echo fine; exec sleep 600; }
                touch again
                python3 -c '\(HostileProgram.asksForProcesses)'
                """, in: directory, Confinement(groups: groups, processes: 20))
            spec.mode = .service
            let handle = try await client.start(spec) { _ in }
            do {
                try await until("its next start") {
                    String(decoding: (try? Files.read(spec.logPath)) ?? [], as: UTF8.self).contains("fine")
                }
            } catch {
                await handle.stop(grace: 0)
                throw error
            }
            let state = try #require(handle.state())
            await handle.stop(grace: 0)
            #expect(state.restarts == 1)
            let log = String(decoding: try Files.read(spec.logPath), as: UTF8.self)
            let more = groups.has(.pids) ? ", and it goes on asking for more" : ""
            #expect(log.contains("out of processes: the limit is 20\(more)\n"), "\(log)")
            #expect(log.components(separatedBy: "out of processes").count == 2, "\(log)")
        }
    }

    /// At most 2 ^ 9 processes, each of which ends by itself.
    static let bomb = """
        bomb() { [ "$1" -gt 8 ] && exec sleep 20; bomb $(($1 + 1)) & bomb $(($1 + 1)) & wait; }
        bomb 0
        """

    /// Scenario 47: the limit ends it and is named.
    @Test(arguments: Means.allCases)
    func aMemoryHogMeetsItsLimit(_ means: Means) async throws {
        try await with(means) { directory, groups in
            let state = try await client.run(
                job(
                    ContainmentTests.hog, in: directory,
                    Confinement(groups: groups, memory: 64 << 20, isBackground: true, memoryScore: 900)))
            #expect(state.cause == .memory)
            #expect(state.phase == .ended)
            let peak = try #require(state.peakMemory)
            #expect(peak > 32 << 20 && peak < 400 << 20, "\(peak >> 20) MiB")
            if means == .kernel, groups.has(.memory) { #expect(peak <= 64 << 20) }
            let log = String(decoding: try Files.read("\(directory)/job.log"), as: UTF8.self)
            #expect(log.contains("out of memory: the limit is 64 MiB"), "\(log.suffix(300))")
        }
    }

    /// At most 300 MiB, slowly.
    static let hog = """
        python3 -c 'import time; a = []
        for i in range(300): a.append(bytearray(b"x" * (1 << 20))); time.sleep(0.01)
        time.sleep(120)'
        """

    /// A build has its priority from its first moment; what it is the first to lose is told to the kernel.
    @Test func aJobInTheBackgroundComesLast() async throws {
        try await with(.kernel) { directory, groups in
            let state = try await client.run(
                job(
                    "nice; cat /proc/self/oom_score_adj; ionice 2>/dev/null || echo; cat /proc/self/autogroup || true",
                    in: directory, Confinement(groups: groups, isBackground: true, memoryScore: 900)))
            #expect(state.ending == .exited(code: 0))
            let log = String(decoding: try Files.read("\(directory)/job.log"), as: UTF8.self)
            let lines = log.split(separator: "\n").map {
                $0.dropFirst(25).trimmingCharacters(in: .whitespaces)
            }
            #expect(lines.first.flatMap { Int($0) } ?? 0 >= 10, "\(log)")
            #expect(lines.contains("900"), "\(log)")
            #expect(lines.contains("best-effort: prio 7"), "\(log)")
        }
    }

    /// A supervisor that is killed leaves its tree to nobody: it is found by its group, mark or none.
    @Test func theTreeOfAKilledSupervisorIsFoundByItsGroup() async throws {
        try await with(.kernel) { directory, groups in
            let mark = "6\(UInt32.random(in: 100_000...999_999))"
            var spec = job(
                "exec env -i /bin/sh -c 'sleep \(mark); sleep \(mark)'", in: directory,
                Confinement(groups: groups))
            spec.mode = .service
            let handle = try await client.start(spec) { _ in }
            try await until("the service") { running(mark) >= 1 }
            handle.supervisor.send(SIGKILL)
            try await until("its end") { !handle.isRunning }
            await handle.stop()
            if groups.unified != nil { #expect(running(mark) == 0) }
            for process in ProcessTable.all() where isSleep(process, mark) {
                ProcessIdentity(running: process)?.send(SIGKILL)
            }
        }
    }

    /// Also one whose group was ended as a whole before.
    @Test(arguments: Means.allCases)
    func aServiceIsStartedAgainInItsGroup(_ means: Means) async throws {
        try await with(means) { directory, groups in
            var spec = job("echo up >> starts; exec sleep 600", in: directory, Confinement(groups: groups))
            spec.mode = .service
            let handle = try await client.start(spec) { _ in }
            for restarts in 0...2 {
                try await until("start \(restarts)") {
                    let state = handle.state()
                    return state?.restarts == restarts && state?.phase == .running
                        && (try? Files.read("\(directory)/starts").count) == 3 * (restarts + 1)
                }
                handle.state()?.process?.send(SIGKILL)
            }
            await handle.stop(grace: 0)
        }
    }

    // MARK: Looking

    /// By how much a machine that has other work came late in all, until this is cancelled: a stop waits for several turns
    /// of its own, one after the other.
    private func lateness() async -> Duration {
        var late = Duration.zero
        let clock = ContinuousClock()
        while !Task.isCancelled {
            let time = await clock.measure { _ = try? await Blocking.run { usleep(2000) } }
            late += time - .milliseconds(2)
        }
        return late
    }

    private func working(in directory: String) -> Int {
        ProcessTable.all().count {
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\($0)/cwd")) == directory
        }
    }

    private func running(_ word: String) -> Int { ProcessTable.all().count { isSleep($0, word) } }

    private func isSleep(_ pid: Int32, _ word: String) -> Bool {
        (try? Files.read("/proc/\(pid)/cmdline")).map {
            String(decoding: $0, as: UTF8.self).contains(word)
        } ?? false
    }
}
