// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import Wire

/// The parent of one command and of everything that the command leaves behind: one thread, one poll(2) loop over the
/// command's output, signals and deadlines.
struct Supervisor {
    /// Milliseconds without output after which what is there of a line is shown as a line. A program that writes in blocks
    /// ends them within lines, and may have to wait for the processor there.
    private static let pause: Int64 = 1000

    let spec: SupervisorSpec
    let signals: Descriptor
    var state: SupervisorState
    var log: LineWriter
    var cleaner: OutputCleaner
    var output: Descriptor?
    /// nil: nobody has the command's input and output.
    var attached: Attached?
    private var budget: ReadingBudget
    var main: Int32?
    let tree: ProcessTree
    /// Becomes readable when the tree's group gets empty.
    private var groupEvents: Descriptor?
    var limits: LimitWatch
    /// nil: a job, or nothing counts.
    private var forkStorm: ForkStorm?
    var startedAt = Monotonic.now
    private var lastOutput = Monotonic.now
    private var lastBytes = Monotonic.now
    /// Monotonic milliseconds: when the grace is over, when to start again, when the job ran too long.
    var killAt: Int64?
    /// Until the next SIGKILL to what does not go: it may wait for a disk that does not answer.
    private var killPause: Int64 = 20
    /// Monotonic milliseconds: when the run that goes on now was first killed.
    var killBegan: Int64?
    /// Milliseconds after that for which its group alone is ended: something of it may hang for ever, and what left it must not
    /// live by that.
    static let patience: Int64 = 300
    var restartAt: Int64?
    /// Until when a start waits for the end of what the last one left behind.
    var restartLatest: Int64 = 0
    var backOff = 100
    var stopping = false

    init?(_ spec: SupervisorSpec) {
        guard let own = ProcessIdentity(running: getpid()) else { return nil }
        kinto_set_child_subreaper()
        let raw = kinto_signalfd([SIGTERM, SIGINT, SIGCHLD, SIGHUP, SIGPIPE], 5)
        guard raw >= 0 else { return nil }
        signals = Descriptor(owning: raw)
        self.spec = Supervisor.bounded(spec)
        log = LineWriter(spec)
        budget = ReadingBudget(isBackground: spec.confinement.isBackground)
        var refusal: String?
        tree = ProcessTree.make(spec) { refusal = $0 }
        groupEvents = tree.events()
        if let refusal { log.note("runs without a control group: \(refusal)") }
        limits = LimitWatch(spec.confinement, mode: spec.mode, tree: tree, directory: spec.workingDirectory)
        if spec.mode == .service { forkStorm = ForkStorm(tree.group, now: Monotonic.now) }
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
            if budget.pause == nil {
                let began = ReadingBudget.processorTime
                readOutput()
                budget.spend(since: began)
            }
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
        killBegan = nil
        do {
            var ends: [Int32] = [0, 0]
            try check("pipe") { kinto_pipe(&ends) }
            let (reading, writing) = (Descriptor(owning: ends[0]), Descriptor(owning: ends[1]))
            let flags = fcntl(reading.raw, F_GETFL)
            _ = fcntl(reading.raw, F_SETFL, flags | O_NONBLOCK)
            let words = ["-c", spec.command] + (spec.arguments.isEmpty ? [] : ["sh"] + spec.arguments)
            var spawn = Spawn(
                path: "/bin/sh", arguments: ["sh"] + words, environment: spec.environment,
                workingDirectory: spec.workingDirectory, standardOutput: writing, standardError: writing,
                newSession: true)
            if let attached, attached.descriptors.count == 3 {
                spawn.standardInput = attached.descriptors[0]
                spawn.standardOutput = attached.descriptors[1]
                spawn.standardError = attached.descriptors[2]
                spawn.isTerminal = spec.attachment?.isTerminal == true
            }
            if let sandbox = spec.confinement.sandbox.first {
                spawn.path = sandbox
                spawn.arguments = spec.confinement.sandbox + ["/bin/sh"] + words
            }
            spawn.confinement = spec.confinement
            spawn.group = tree.group
            let pid = try spawn.start()
            main = pid
            output = reading
            // The command's own ends are enough: the other side is to see when it closes them.
            attached?.descriptors = []
            state.process = ProcessIdentity(running: pid)
            if spec.confinement.isBackground { comeAfterOthers() }
            write(.running)
        } catch {
            log.note("could not be started: \(error)")
            state.process = nil
            ended(.unstartable(code: error.code, operation: error.operation))
        }
    }

    /// Reading what a build prints as fast as it can takes as much of a processor as the build: it has the build's place,
    /// after the services. Not before the command was started, which would come after that.
    private func comeAfterOthers() {
        kinto_give_way(10)
        // Where sessions share the processor as groups of their own (sched(7)), this is what counts.
        if let file = try? Descriptor.open("/proc/self/autogroup", O_WRONLY) { try? file.writeAll("10".utf8) }
    }

    // MARK: Events

    private mutating func wait() {
        var polls = [pollfd(fd: signals.raw, events: Int16(POLLIN), revents: 0)]
        let pause = output == nil ? nil : budget.pause
        polls.append(pollfd(fd: pause == nil ? output?.raw ?? -1 : -1, events: Int16(POLLIN), revents: 0))
        polls.append(pollfd(fd: groupEvents?.raw ?? -1, events: Int16(POLLPRI), revents: 0))
        let none = pollfd(fd: -1, events: 0, revents: 0)
        polls.append(stopping ? none : attached?.poller ?? none)
        polls.append(stopping ? none : forkStorm?.poller ?? none)
        let now = Monotonic.now
        var deadline: Int64?
        func consider(_ time: Int64?) { if let time { deadline = min(deadline ?? time, time) } }
        consider(killAt)
        consider(pause.map { now + $0 })
        consider(restartAt)
        if main != nil, !stopping {
            consider(limits.nextTime)
            consider(forkStorm?.nextTime)
        }
        if cleaner.isWaiting { consider(lastBytes + Supervisor.pause) }
        if spec.mode == .job, !stopping, main != nil {
            if spec.timeout > 0 { consider(startedAt + Int64(spec.timeout)) }
            if spec.silence > 0 { consider(lastOutput + Int64(spec.silence)) }
        }
        let timeout = deadline.map { Int32(clamping: max(0, $0 - now)) } ?? -1
        poll(&polls, nfds_t(polls.count), timeout)
        if polls[4].revents != 0 { forkStorm?.told() }
        if polls[3].revents != 0 { stop(.stopped, grace: spec.stopGrace) }
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

    private var hasOutput: Bool {
        guard let output else { return false }
        var poller = pollfd(fd: output.raw, events: Int16(POLLIN), revents: 0)
        return poll(&poller, 1, 0) > 0
    }

    mutating func readOutput() {
        guard let output else { return }
        // Bounded, so that a flood keeps neither signals nor who answers visitors waiting. A byte of short lines costs ten
        // times one of long lines: it is time that counts, and little is read at once.
        let latest = ReadingBudget.processorTime + ReadingBudget.turn
        repeat {
            var count = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: 8 << 10) { buffer, used in
                count = read(output.raw, buffer.baseAddress, buffer.count)
                used = max(0, count)
            }
            guard count > 0 else {
                if count == 0 { self.output = nil }
                break
            }
            lastOutput = Monotonic.now
            lastBytes = lastOutput
            log.write(cleaner.feed(bytes, now: lastBytes))
        } while ReadingBudget.processorTime < latest
    }

    private mutating func checkTimes() {
        let now = Monotonic.now
        // Not when only this process was kept waiting: more of the line may be there already.
        if cleaner.isWaiting, now >= lastBytes + Supervisor.pause, !hasOutput {
            log.write(cleaner.pause(now: now))
        }
        if let time = killAt, now >= time {
            kill()
            killAt = now + killPause
            killPause = min(killPause * 2, 1000)
            reap()
        }
        if let time = restartAt, now >= time {
            if now < restartLatest, !tree.isEmpty {
                kill()
                restartAt = now + 20
            } else {
                state.restarts += 1
                start()
            }
        }
        guard !stopping, main != nil else { return }
        if forkStorm?.look(now) == true {
            log.note(limits.words(.processes) + ", and it goes on asking for more")
            state.cause = .processes
            tree.comeLast()
            kill()
            return
        }
        if let time = limits.nextTime, now >= time,
            let cause = limits.look(now) ?? (limits.lacksRoom ? .space : nil)
        {
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
}
