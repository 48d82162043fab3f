// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import KintoCore
internal import Logging
internal import Rollout
internal import Runner
internal import Wire

/// What a person says to a command that is run once.
struct RunWish: Sendable {
    /// nil: what is live.
    var release: Int?
    /// One word: a line for `/bin/sh -c`. Several: a program and its arguments, which no shell reads.
    var command: [String]
    /// `TERM` of a terminal; nil: input, output and errors are handed over.
    var terminal: String?
    /// It has no input, prints to a log, and goes on without whoever started it.
    var isDetached: Bool
}

extension Actions {
    struct StartedRun: Sendable {
        let run: Run
        /// Where its input and output are handed over; nil: it is detached.
        let socket: String?
    }

    /// Runs a command in the artifact and with the configuration of a release, contained as a service is.
    /// - Throws: `Failure` of code `invalid-request`, `nothing-live`, `unknown-release`, `artifact-missing`.
    func run(_ target: Target, _ wish: RunWish) async throws -> StartedRun {
        try await require(target)
        let (shown, text, arguments) = try Actions.command(wish)
        let (release, directory, variables) = try await place(target, wish.release)
        var run = Run(
            target: target, release: release.number, command: shown, identifier: UUID().uuidString,
            isDetached: wish.isDetached)
        run = try await store.add(run)
        do {
            let socket = wish.isDetached ? nil : "\(home.runs)/\(run.name)"
            let listener = try socket.map { try UnixSocket.listen($0, backlog: 1) }
            let plan = RunPlan(
                command: text, arguments: arguments, directory: directory,
                variables: variables + (wish.terminal.map { ["TERM=\($0)"] } ?? []),
                secrets: ProcessEnvironment.secrets(release.config ?? [:]),
                attachment: socket.map { .init(path: $0, isTerminal: wish.terminal != nil) })
            let handle: SupervisorHandle
            (run, handle) = try await launch(run, plan, listener: listener)
            Task { [run] in await watch(run, handle) }
            return StartedRun(run: run, socket: socket)
        } catch {
            unlink("\(home.runs)/\(run.name)")
            try? await store.remove(run)
            throw error
        }
    }

    /// What a run is started with.
    struct RunPlan: Sendable {
        let command: String
        var arguments: [String] = []
        let directory: String
        let variables: [String]
        let secrets: [String]
        var attachment: SupervisorSpec.Attachment?
        /// Bytes.
        var logLimit = 50 << 20
        /// nil: as long as it takes.
        var timeout: TimeSpan?
        var signal: Int32 = 15
    }

    /// Lets a run begin that is on record.
    /// - Parameter listener: for a plan with an attachment.
    func launch(_ run: Run, _ plan: RunPlan, listener: Descriptor? = nil) async throws -> (
        Run, SupervisorHandle
    ) {
        var run = run
        try Files.makeDirectories(home.release(run.target, run.release))
        run.statePath = "\(home.release(run.target, run.release))/\(run.name).state"
        var spec = SupervisorSpec(
            identifier: run.identifier, mode: .job, command: plan.command, workingDirectory: plan.directory,
            environment: plan.variables + ["KINTO_INSTANCE=\(run.name)"],
            logPath: home.consoleLog(run.target, run.release, instance: run.name), logStyle: .console,
            logLimit: plan.logLimit, secrets: plan.secrets, statePath: run.statePath, stopSignal: plan.signal,
            stopGrace: run.grace?.milliseconds ?? 10_000, timeout: plan.timeout?.milliseconds ?? 0,
            confinement: containment.confineService())
        spec.arguments = plan.arguments
        spec.attachment = plan.attachment
        let handle = try await rollout.supervisors.start(spec, listener: listener) { [run] supervisor in
            try await store.begin(run, under: supervisor)
        }
        run.supervisor = handle.supervisor
        return (run, handle)
    }

    /// For people, for the shell, and the words that the shell passes on unread.
    private static func command(_ wish: RunWish) throws -> (String, String, [String]) {
        let words = wish.command
        guard let first = words.first, !first.isEmpty,
            words.reduce(0, { $0 + $1.utf8.count + 1 }) <= 64 << 10,
            !words.contains(where: { $0.utf8.contains(0) })
        else {
            throw Failure(
                code: "invalid-request", "a command has from one to 65536 bytes, and no NUL among them")
        }
        if let terminal = wish.terminal {
            let isPlain = terminal.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
            guard isPlain, (1...64).contains(terminal.utf8.count) else {
                throw Failure(code: "invalid-request", "the terminal's name is not one that TERM can have")
            }
        }
        if words.count == 1 { return (first, first, []) }
        return (words.joined(separator: " "), "exec \"$@\"", words)
    }

    /// Where it runs and with which variables: as a service of the release does, but for a port.
    func place(_ target: Target, _ number: Int?) async throws -> (Release, String, [String]) {
        let found: Release
        if let number {
            guard let release = try await store.release(target, number) else {
                throw Failure(code: "unknown-release", "there is no release \(number) of \(target)")
            }
            found = release
        } else {
            guard let live = try await store.live(target) else {
                throw Failure(
                    code: "nothing-live", "no release of \(target) is live",
                    hints: [
                        .init("name one", command: "kinto run \(target.words) --release NUMBER -- COMMAND")
                    ])
            }
            found = live
        }
        guard let artifact = found.artifact, artifact.available, let manifest = found.manifest,
            Files.exists(deployment.pipeline.directory(of: artifact))
        else {
            throw Failure(
                code: "artifact-missing",
                "release \(found.number) has no artifact: it failed before there was one, or it is not kept any more",
                hints: [.init("see which there are", command: "kinto releases \(target.words)")])
        }
        var release = found
        if release.config == nil { release.config = try await store.config(target) }
        let directory = deployment.pipeline.directory(of: artifact)
        let containment = containment
        try await Blocking.run { try ArtifactAccess(containment: containment).open(directory) }
        let variables = deployment.environment.service(release, manifest, config: release.config ?? [:])
        return (release, directory, containment.serviceUser?.adapt(variables, home: directory) ?? variables)
    }

    /// Until it is over; then nothing is left of it but what it printed, and the record of what has a schedule.
    func watch(_ run: Run, _ handle: SupervisorHandle) async {
        for await _ in handle.observations() {}
        await handle.stop()
        unlink("\(home.runs)/\(run.name)")
        await forget(run, handle.state())
    }

    private func forget(_ run: Run, _ last: SupervisorState?) async {
        if run.occasion != nil { return await end(run, last) }
        do { try await persistently { [store] in try await store.remove(run) } } catch {
            logger.error(
                "the end of a run is not recorded", metadata: ["run": "\(run.name)", "error": "\(error)"])
        }
    }

    /// Takes over what an earlier server started.
    func watchRuns() async {
        let runs = (try? await store.runs()) ?? []
        for name in (try? Files.list(home.runs)) ?? [] where !runs.contains(where: { $0.name == name }) {
            unlink("\(home.runs)/\(name)")
        }
        for run in runs {
            // Without one it was never let run.
            guard let handle = SupervisorHandle(run) else {
                await forget(run, nil)
                continue
            }
            Task { await watch(run, handle) }
        }
    }

    /// Ends a run, as its client's going does.
    /// - Parameter scheduled: only what runs by a schedule.
    /// - Throws: `Failure` of code `unknown-run`.
    func stopRun(_ target: Target, _ name: String, scheduled: Bool = false) async throws {
        let found = try await store.runs().first { $0.target == target && $0.name == name }
        guard let run = found, run.occasion != nil || !scheduled else {
            throw Failure(
                code: "unknown-run", "no command '\(name)' of \(target) runs",
                hints: [.init("see what runs", command: "kinto ps \(target.words)")])
        }
        try await halt(run, as: .stopped)
    }

    /// Has it ended when this returns, or never begun.
    func halt(_ run: Run, as outcome: Run.Outcome, grace: Int? = nil) async throws {
        guard let known = try await store.stop(run, as: outcome) else { return }
        await SupervisorHandle(known)?.stop(grace: grace)
    }

    /// Of a target that is removed.
    func stopRuns(_ target: Target) async throws {
        let runs = try await store.runs().filter { $0.target == target }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for run in runs { group.addTask { try await halt(run, as: .stopped, grace: 2_000) } }
            try await group.waitForAll()
        }
    }
}
