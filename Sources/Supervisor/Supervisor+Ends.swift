// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import Wire

/// How a command ends, by itself or not, and what is done with what it leaves behind.
extension Supervisor {
    /// The command's first process ended, or could not begin.
    mutating func ended(_ ending: SupervisorState.Ending) {
        state.ending = ending
        if stopping {
            if tree.isEmpty { finish() }
            return
        }
        state.leftBehind = tree.processes.count
        if let cause = limits.look(Monotonic.now), cause != state.cause {
            log.note(limits.words(cause))
            state.cause = cause
        }
        (state.peakMemory, state.peakProcesses) = (limits.peakMemory, limits.peakProcesses)
        if spec.mode == .job || ending == .exited(code: spec.finalStatus) {
            stop(state.cause, grace: 500)
            return
        }
        kill()
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

    mutating func stop(_ cause: SupervisorState.Cause, grace: Int) {
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
            kill()
            killAt = Monotonic.now + 20
        } else {
            tree.signal(main == nil ? SIGTERM : spec.stopSignal)
            tree.signal(SIGCONT)
            killAt = Monotonic.now + Int64(grace)
        }
    }

    /// SIGKILL to all of it, again and again until it is gone.
    mutating func kill() {
        let began = killBegan ?? Monotonic.now
        killBegan = began
        tree.kill(isPatient: Monotonic.now < began + Supervisor.patience)
    }

    mutating func finish() {
        guard state.phase != .ended else { return }
        drainOutput()
        log.finish()
        (state.peakMemory, state.peakProcesses) = (limits.peakMemory, limits.peakProcesses)
        tree.group?.remove()
        // What became of a job is not lost because the disk is full now: who waits for it waits a little longer.
        var tries = 1
        attached?.tell(state)
        while !write(.ended), spec.mode == .job, tries < 240, !isToldToEnd(within: 250) { tries += 1 }
    }

    /// Nobody came to have the command's input and output: it is not run.
    mutating func giveUp() {
        state.cause = .stopped
        finish()
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
    mutating func write(_ phase: SupervisorState.Phase) -> Bool {
        state.phase = phase
        state.changedAt = .now
        return
            (try? Files.replace(spec.statePath, with: state.fields.encoded(), durable: phase == .ended))
            != nil
    }

    /// A service is started again by its end; one whose processes were refused goes on.
    mutating func meet(_ cause: SupervisorState.Cause) {
        state.cause = cause
        if cause == .memory || tree.group?.groups.has(.pids) != true { kill() }
    }

    private static func words(_ ending: SupervisorState.Ending) -> String {
        switch ending {
        case .exited(let code): "exited with code \(code)"
        case .signaled(let signal): "was ended by signal \(signal)"
        case .unstartable: "could not be started"
        }
    }
}
