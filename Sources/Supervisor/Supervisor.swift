// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import Wire

/// The parent of one command and of everything that the command leaves behind: one thread, one poll(2) loop over the
/// command's output, signals and deadlines.
struct Supervisor {
    private let spec: SupervisorSpec
    private let signals: Descriptor
    private var state: SupervisorState
    private var log: LineWriter
    private var cleaner: OutputCleaner
    private var output: Descriptor?
    private var main: Int32?
    private let tree: ProcessTree
    /// Becomes readable when the tree's group gets empty.
    private var groupEvents: Descriptor?
    private var limits: LimitWatch
    private var startedAt = Monotonic.now
    private var lastOutput = Monotonic.now
    private var lastBytes = Monotonic.now
    /// Monotonic milliseconds: when the grace is over, when to start again, when the job ran too long.
    private var killAt: Int64?
    /// Until the next SIGKILL to what does not go: it may wait for a disk that does not answer.
    private var killPause: Int64 = 20
    private var restartAt: Int64?
    /// Until when a start waits for the end of what the last one left behind.
    private var restartLatest: Int64 = 0
    private var backOff = 100
    private var stopping = false

    init?(_ spec: SupervisorSpec) {
        guard let own = ProcessIdentity(running: getpid()) else { return nil }
        kinto_set_child_subreaper()
        let raw = kinto_signalfd([SIGTERM, SIGINT, SIGCHLD, SIGHUP, SIGPIPE], 5)
        guard raw >= 0 else { return nil }
        signals = Descriptor(owning: raw)
        self.spec = Supervisor.bounded(spec)
        log = LineWriter(spec)
        var refusal: String?
        tree = ProcessTree.make(spec) { refusal = $0 }
        groupEvents = tree.events()
        if let refusal { log.note("runs without a control group: \(refusal)") }
        limits = LimitWatch(spec.confinement, mode: spec.mode, tree: tree)
        cleaner = OutputCleaner(secrets: spec.secrets)
        let now = Timestamp.now
        state = SupervisorState(
            identifier: spec.identifier, phase: .running, supervisor: own, process: nil, startedAt: now,
            changedAt: now)
        state.groupDirectories = tree.group?.directories ?? []
    }

    /// With numbers that can be calculated with: no time is negative or longer than 34 years.
    private static func bounded(_ spec: SupervisorSpec) -> SupervisorSpec {
        func time(_ milliseconds: Int) -> Int { min(max(0, milliseconds), 1 << 40) }
        var spec = spec
        spec.stopGrace = time(spec.stopGrace)
        spec.timeout = time(spec.timeout)
        spec.silence = time(spec.silence)
        spec.backOffLimit = time(spec.backOffLimit)
        if !(1...64).contains(spec.stopSignal) { spec.stopSignal = SIGTERM }
        return spec
    }

    mutating func run() {
        start()
        while state.phase != .ended {
            wait()
            readSignals()
            readOutput()
            checkTimes()
        }
    }

    // MARK: Starting

    private mutating func start() {
        state.startedAt = .now
        state.cause = .itself
        startedAt = Monotonic.now
        lastOutput = startedAt
        restartAt = nil
        do {
            var ends: [Int32] = [0, 0]
            try check("pipe") { kinto_pipe(&ends) }
            let (reading, writing) = (Descriptor(owning: ends[0]), Descriptor(owning: ends[1]))
            let flags = fcntl(reading.raw, F_GETFL)
            _ = fcntl(reading.raw, F_SETFL, flags | O_NONBLOCK)
            var spawn = Spawn(
                path: "/bin/sh", arguments: ["sh", "-c", spec.command], environment: spec.environment,
                workingDirectory: spec.workingDirectory, standardOutput: writing, standardError: writing,
                newSession: true)
            if let sandbox = spec.confinement.sandbox.first {
                spawn.path = sandbox
                spawn.arguments = spec.confinement.sandbox + ["/bin/sh", "-c", spec.command]
            }
            spawn.confinement = spec.confinement
            spawn.group = tree.group
            let pid = try spawn.start()
            main = pid
            output = reading
            state.process = ProcessIdentity(running: pid)
            write(.running)
        } catch {
            log.note("could not be started: \(error)")
            state.process = nil
            ended(.unstartable(code: error.code, operation: error.operation))
        }
    }

    // MARK: Events

    private mutating func wait() {
        var polls = [pollfd(fd: signals.raw, events: Int16(POLLIN), revents: 0)]
        polls.append(pollfd(fd: output?.raw ?? -1, events: Int16(POLLIN), revents: 0))
        polls.append(pollfd(fd: groupEvents?.raw ?? -1, events: Int16(POLLPRI), revents: 0))
        let now = Monotonic.now
        var deadline: Int64?
        func consider(_ time: Int64?) { if let time { deadline = min(deadline ?? time, time) } }
        consider(killAt)
        consider(restartAt)
        if main != nil, !stopping { consider(limits.nextTime) }
        if cleaner.isWaiting { consider(lastBytes + 200) }
        if spec.mode == .job, !stopping, main != nil {
            if spec.timeout > 0 { consider(startedAt + Int64(spec.timeout)) }
            if spec.silence > 0 { consider(lastOutput + Int64(spec.silence)) }
        }
        let timeout = deadline.map { Int32(clamping: max(0, $0 - now)) } ?? -1
        poll(&polls, nfds_t(polls.count), timeout)
        // One that is gone would be told again and again.
        if polls[2].revents != 0, let events = groupEvents, !ProcessTree.rearm(events) { groupEvents = nil }
    }

    private mutating func readSignals() {
        while true {
            let signal = kinto_next_signal(signals.raw)
            if signal == 0 { break }
            switch signal {
            case SIGTERM: stop(.stopped, grace: spec.stopGrace)
            case SIGINT: stop(.stopped, grace: 0)
            default: break
            }
        }
        reap()
    }

    private mutating func reap() {
        var status: Int32 = 0
        var ending: SupervisorState.Ending?
        // All of them first: what has ended is not left behind.
        while true {
            let pid = waitpid(-1, &status, WNOHANG)
            guard pid > 0 else { break }
            if pid == main {
                main = nil
                let signal = status & 0x7F
                ending = signal == 0 ? .exited(code: (status >> 8) & 0xFF) : .signaled(signal)
            }
        }
        if let ending { ended(ending) }
        if stopping, main == nil, tree.isEmpty { finish() }
    }

    private mutating func readOutput() {
        guard let output else { return }
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        // Bounded, so that a flood does not keep signals waiting.
        let latest = Monotonic.now + 20
        repeat {
            let count = read(output.raw, &buffer, buffer.count)
            if count > 0 {
                lastOutput = Monotonic.now
                lastBytes = lastOutput
                log.write(cleaner.feed(Array(buffer[0..<count]), now: lastBytes))
            } else {
                if count == 0 { self.output = nil }
                break
            }
        } while lastOutput < latest
    }

    private mutating func checkTimes() {
        let now = Monotonic.now
        if cleaner.isWaiting, now >= lastBytes + 200 { log.write(cleaner.pause(now: now)) }
        if let time = killAt, now >= time {
            tree.kill()
            killAt = now + killPause
            killPause = min(killPause * 2, 1000)
            reap()
        }
        if let time = restartAt, now >= time {
            if now < restartLatest, !tree.isEmpty {
                tree.kill()
                restartAt = now + 20
            } else {
                state.restarts += 1
                start()
            }
        }
        guard !stopping, main != nil else { return }
        if let time = limits.nextTime, now >= time, let cause = limits.look(now) {
            if state.cause != cause { log.note(limits.words(cause)) }
            if spec.mode == .job { stop(cause, grace: 0) } else { meet(cause) }
            return
        }
        guard spec.mode == .job else { return }
        if spec.timeout > 0, now >= startedAt + Int64(spec.timeout) {
            stop(.timeout, grace: spec.stopGrace)
        } else if spec.silence > 0, now >= lastOutput + Int64(spec.silence) {
            stop(.silence, grace: spec.stopGrace)
        }
    }

    // MARK: Ends

    /// The command's first process ended, or could not begin.
    private mutating func ended(_ ending: SupervisorState.Ending) {
        state.ending = ending
        if stopping {
            if tree.isEmpty { finish() }
            return
        }
        state.leftBehind = tree.processes.count
        if let cause = limits.look(Monotonic.now) {
            log.note(limits.words(cause))
            state.cause = cause
        }
        (state.peakMemory, state.peakProcesses) = (limits.peakMemory, limits.peakProcesses)
        if spec.mode == .job || ending == .exited(code: spec.finalStatus) {
            stop(state.cause, grace: 500)
            return
        }
        tree.kill()
        drainOutput()
        let ran = Monotonic.now - startedAt
        if ran >= 60_000 { backOff = 100 }
        log.note("\(Supervisor.words(ending)) after \(ran) ms; starting again in \(backOff) ms")
        let next = Monotonic.now + Int64(backOff)
        restartAt = next
        restartLatest = next + 5000
        backOff = min(backOff == 100 ? 1000 : backOff * 2, max(100, spec.backOffLimit))
        state.process = nil
        write(.waiting)
    }

    private mutating func stop(_ cause: SupervisorState.Cause, grace: Int) {
        restartAt = nil
        if stopping {
            if grace == 0 { killAt = Monotonic.now }
            return
        }
        stopping = true
        state.cause = cause
        write(.stopping)
        if main == nil, tree.isEmpty {
            finish()
            return
        }
        if grace == 0 {
            tree.kill()
            killAt = Monotonic.now + 20
        } else {
            tree.signal(main == nil ? SIGTERM : spec.stopSignal)
            tree.signal(SIGCONT)
            killAt = Monotonic.now + Int64(grace)
        }
    }

    private mutating func finish() {
        guard state.phase != .ended else { return }
        drainOutput()
        log.finish()
        (state.peakMemory, state.peakProcesses) = (limits.peakMemory, limits.peakProcesses)
        tree.group?.remove()
        // What became of a job is not lost because the disk is full now: who waits for it waits a little longer.
        var tries = 1
        while !write(.ended), spec.mode == .job, tries < 240, !isToldToEnd(within: 250) { tries += 1 }
    }

    /// Milliseconds.
    private func isToldToEnd(within time: Int32) -> Bool {
        var poller = pollfd(fd: signals.raw, events: Int16(POLLIN), revents: 0)
        guard poll(&poller, 1, time) > 0 else { return false }
        while true {
            let signal = kinto_next_signal(signals.raw)
            if signal == 0 { return false }
            if signal == SIGTERM || signal == SIGINT { return true }
        }
    }

    /// What is still in the pipe when no writer is left, or all were killed.
    private mutating func drainOutput() {
        for _ in 0..<1024 {
            guard let before = output else { break }
            var poller = pollfd(fd: before.raw, events: Int16(POLLIN), revents: 0)
            guard poll(&poller, 1, 0) > 0 else { break }
            readOutput()
        }
        log.write(cleaner.finish())
        output = nil
    }

    /// - Returns: whether it could be written. If not, on a full disk, it is with the next change; the command goes on.
    @discardableResult
    private mutating func write(_ phase: SupervisorState.Phase) -> Bool {
        state.phase = phase
        state.changedAt = .now
        return
            (try? Files.replace(spec.statePath, with: state.fields.encoded(), durable: phase == .ended))
            != nil
    }

    /// A service is started again by its end; one whose processes were refused goes on.
    private mutating func meet(_ cause: SupervisorState.Cause) {
        state.cause = cause
        if cause == .memory || tree.group?.groups.has(.pids) != true { tree.kill() }
    }

    private static func words(_ ending: SupervisorState.Ending) -> String {
        switch ending {
        case .exited(let code): "exited with code \(code)"
        case .signaled(let signal): "was ended by signal \(signal)"
        case .unstartable: "could not be started"
        }
    }
}
