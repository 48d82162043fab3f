// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Wire

/// Says in the user's words why an instance did not become live.
struct ProbeDiagnosis: Sendable {
    let plan: RolloutPlan
    let instance: Instance

    private var logsHint: Failure.Hint {
        .init(
            "read what it printed",
            command:
                "kinto logs \(plan.target.words) --console --release \(plan.number)\(instance.name == "web.1" ? "" : " --process \(instance.name)")"
        )
    }

    private var group: ProcessGroup? { plan.group(of: instance) }
    private var command: String { group?.command ?? "" }
    private var port: UInt16 { instance.port ?? 0 }
    /// What it did not become.
    private var goal: String { group?.worker.map { "ready (it has to run for \($0.stable))" } ?? "live" }

    /// The deadline passed; `last` is what the last try found.
    func deadline(_ last: Probe.Finding) -> Failure {
        let expected = "127.0.0.1:\(port)"
        let limit = plan.manifest.probe.deadline
        switch last {
        case .notListening, .healthy:
            let others = Listeners.of(instance.supervisor)
            let sameport = others.filter { $0.port == port }
            if let wrong = sameport.first {
                return failure(
                    "wrong-address",
                    "\(instance.name) listens on \(wrong.description), which 127.0.0.1 does not reach: listen on $HOST (127.0.0.1)",
                    evidence: others.map { "listens on \($0.description)" })
            }
            if let wrong = others.first {
                return failure(
                    "wrong-port",
                    "\(instance.name) listens on \(wrong.description), expected \(expected): read PORT, or pass it on in 'start' as $PORT",
                    evidence: others.map { "listens on \($0.description)" })
            }
            return explained(
                failure(
                    "not-listening", "\(instance.name) did not listen on \(expected) within \(limit)"))
        case .foreign:
            let owner = Listeners.owner(of: port)
            return failure(
                "foreign-listener",
                "port \(port) is held by a process outside of the release\(owner.map { ": \($0.name) (pid \($0.pid))" } ?? "")"
            )
        case .refused:
            return explained(
                failure(
                    "probe-refused", "\(instance.name) refuses connections on \(expected)"))
        case .silent:
            return explained(
                failure(
                    "probe-timeout",
                    "\(instance.name) accepts connections on \(expected) but does not answer GET \(plan.manifest.probe.path ?? "/") within \(plan.manifest.probe.timeout)"
                ))
        case .status(let status, let answer):
            return answered(
                code: "probe-status",
                "GET \(plan.manifest.probe.path ?? "/") of \(instance.name) answered \(status) until the deadline of \(limit)",
                answer)
        case .malformed(let answer):
            return answered(
                code: "probe-malformed", "\(instance.name) does not speak HTTP on \(expected)", answer)
        }
    }

    /// With what was asked and what came back. The page of an error may show what the service knows.
    private func answered(code: String, _ message: String, _ answer: ProbeAnswer) -> Failure {
        let lines = answer.lines.map { Redactor.redacted($0, plan.secrets) }
        return explained(
            Failure(
                stage: .probe, code: code, message, evidence: [plan.manifest.probe.question] + lines,
                hints: [logsHint]), answer: lines)
    }

    /// The command ended before it was live.
    func ended(_ state: SupervisorState) -> Failure { explained(end(state), ending: state.ending) }

    private func end(_ state: SupervisorState) -> Failure {
        let ran = max(0, state.changedAt.milliseconds - state.startedAt.milliseconds)
        switch state.ending {
        case _ where state.cause == .memory:
            var result = failure(
                "service-memory",
                "\(instance.name) ran out of memory after \(ran) ms, before it was \(goal)\(state.peakMemory.map { " (at most \($0 >> 20) MiB were used)" } ?? "")"
            )
            result.hints.append(.init("raise its limit", command: "kinto serve --service-memory SIZE"))
            return result
        // One that was refused a process and ended by itself has its own words for that.
        case .signaled where state.cause == .processes:
            var result = failure(
                "service-processes",
                "\(instance.name) asked for more processes than its limit\(state.peakProcesses.map { " (\($0) ran)" } ?? "") after \(ran) ms, before it was \(goal), and was ended"
            )
            result.hints.append(
                .init(
                    "see whether it starts them without end; or raise its limit",
                    command: "kinto serve --service-processes N"))
            return result
        case .exited(code: 127):
            return failure(
                "start-not-found",
                "the \(what) uses a program that is not there: \(command)")
        case .exited(code: 126):
            return failure(
                "start-not-executable",
                "the \(what) names a file that is not executable: \(command)")
        case .exited(code: 0) where state.leftBehind > 0:
            return failure(
                "daemonized",
                "\(instance.name) put itself into the background: run it in the foreground, kinto keeps it running"
            )
        case .exited(let code):
            return failure(
                "exited", "\(instance.name) exited with code \(code) after \(ran) ms, before it was \(goal)",
                hints: code == 0 && group?.worker != nil ? [endingHint] : [])
        case .signaled(let signal):
            return failure(
                "killed",
                "\(instance.name) was ended by signal \(signal) after \(ran) ms, before it was \(goal)")
        case .unstartable(let code, let operation):
            return failure(
                "unstartable", "\(instance.name) could not be started: \(SystemError(operation, code: code))")
        case nil: return failure("exited", "\(instance.name) ended before it was \(goal)")
        }
    }

    func lost() -> Failure {
        explained(failure("supervisor-lost", "the supervisor of \(instance.name) was killed"))
    }

    private var what: String {
        group?.worker == nil ? "start command" : "command of \(instance.type)"
    }

    /// For a type that comes from a Procfile, like a console.
    private var endingHint: Failure.Hint {
        .init(
            "a worker runs until it is stopped; one that is only run now and then has no instances in kinto.json: \"processes\": { \"\(instance.type)\": { \"instances\": 0 } }"
        )
    }

    private func failure(
        _ code: String, _ message: String, evidence: [String] = [], hints: [Failure.Hint] = []
    ) -> Failure {
        Failure(stage: .probe, code: code, message, evidence: evidence, hints: [logsHint] + hints)
    }

    /// With its cause, after what the instance printed.
    /// - Parameter answer: what came back when the probe asked, a line each.
    func explained(
        _ failure: Failure, ending: SupervisorState.Ending? = nil, answer: [String] = []
    ) -> Failure {
        Diagnosis(
            .console(log: "\(plan.releaseDirectory)/console.\(instance.name).log", answer: answer),
            plan.target,
            release: plan.number, port: instance.port, command: command,
            directory: plan.directory,
            environment: plan.environment + ["PORT", "HOST"], ending: ending
        ).explain(failure)
    }
}
