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
    private var startedAt = Monotonic.now
    private var lastOutput = Monotonic.now
    private var lastBytes = Monotonic.now
    /// Monotonic milliseconds: when the grace is over, when to start again, when the job ran too long.
    private var killAt: Int64?
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
        cleaner = OutputCleaner(secrets: spec.secrets)
        let now = Timestamp.now
        state = SupervisorState(
            identifier: spec.identifier, phase: .running, supervisor: own, process: nil, startedAt: now,
            changedAt: now)
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
        startedAt = Monotonic.now
        lastOutput = startedAt
        restartAt = nil
        do {
            var ends: [Int32] = [0, 0]
            try check("pipe") { kinto_pipe(&ends) }
            let (reading, writing) = (Descriptor(owning: ends[0]), Descriptor(owning: ends[1]))
            let flags = fcntl(reading.raw, F_GETFL)
            _ = fcntl(reading.raw, F_SETFL, flags | O_NONBLOCK)
            let pid = try Spawn(
                path: "/bin/sh", arguments: ["sh", "-c", spec.command], environment: spec.environment,
                workingDirectory: spec.workingDirectory, standardOutput: writing, standardError: writing,
                newSession: true
            ).start()
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
        if let output { polls.append(pollfd(fd: output.raw, events: Int16(POLLIN), revents: 0)) }
        let now = Monotonic.now
        var deadline: Int64?
        func consider(_ time: Int64?) { if let time { deadline = min(deadline ?? time, time) } }
        consider(killAt)
        consider(restartAt)
        if cleaner.isWaiting { consider(lastBytes + 200) }
        if spec.mode == .job, !stopping, main != nil {
            if spec.timeout > 0 { consider(startedAt + Int64(spec.timeout)) }
            if spec.silence > 0 { consider(lastOutput + Int64(spec.silence)) }
        }
        let timeout = deadline.map { Int32(clamping: max(0, $0 - now)) } ?? -1
        poll(&polls, nfds_t(polls.count), timeout)
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
        if stopping, main == nil, ProcessTable.descendants(of: getpid()).isEmpty { finish() }
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
            killTree()
            killAt = now + 20
            reap()
        }
        if let time = restartAt, now >= time {
            if now < restartLatest, !ProcessTable.descendants(of: getpid()).isEmpty {
                killTree()
                restartAt = now + 20
            } else {
                state.restarts += 1
                start()
            }
        }
        guard spec.mode == .job, !stopping, main != nil else { return }
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
        let leftovers = ProcessTable.descendants(of: getpid())
        if stopping {
            if leftovers.isEmpty { finish() }
            return
        }
        state.leftBehind = leftovers.count
        if spec.mode == .job || ending == .exited(code: spec.finalStatus) {
            stop(.itself, grace: 500)
            return
        }
        killTree()
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
        let processes = ProcessTable.descendants(of: getpid())
        if processes.isEmpty, main == nil {
            finish()
            return
        }
        if grace == 0 {
            killTree()
            killAt = Monotonic.now + 20
        } else {
            signalTree(cause == .itself ? SIGTERM : spec.stopSignal)
            signalTree(SIGCONT)
            killAt = Monotonic.now + Int64(grace)
        }
    }

    private func signalTree(_ signal: Int32) {
        // Children of ours or of theirs: their numbers cannot be given away before we reap them or they do.
        for pid in ProcessTable.descendants(of: getpid()) { kill(pid, signal) }
    }

    /// SIGKILL to every process of the tree, also to those that are born meanwhile: until a look finds none that is
    /// new. One that escapes even so is met by the next call.
    private func killTree() {
        var killed: Set<Int32> = []
        for _ in 0..<100 {
            let found = ProcessTable.descendants(of: getpid()).filter { killed.insert($0).inserted }
            if found.isEmpty { return }
            for pid in found { kill(pid, SIGKILL) }
        }
    }

    private mutating func finish() {
        guard state.phase != .ended else { return }
        drainOutput()
        log.finish()
        write(.ended)
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

    private mutating func write(_ phase: SupervisorState.Phase) {
        state.phase = phase
        state.changedAt = .now
        // A state that cannot be written (full disk) is written with the next change; the command goes on.
        try? Files.replace(spec.statePath, with: state.fields.encoded(), durable: phase == .ended)
    }

    private static func words(_ ending: SupervisorState.Ending) -> String {
        switch ending {
        case .exited(let code): "exited with code \(code)"
        case .signaled(let signal): "was ended by signal \(signal)"
        case .unstartable: "could not be started"
        }
    }
}

/// CLOCK_MONOTONIC in milliseconds.
enum Monotonic {
    static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
