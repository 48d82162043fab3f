// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import KintoCore
internal import Wire

/// The start of an instance.
extension RolloutController {
    /// Starts one, recorded before it runs.
    func start(
        _ name: String, of group: ProcessGroup, _ plan: RolloutPlan, _ journal: any RolloutJournal
    ) async throws -> Started {
        let containment = containment
        try await Blocking.run { try ArtifactAccess(containment: containment).open(plan.directory) }
        let port = group.worker == nil ? try ports.take() : nil
        let stop = plan.manifest.stop(of: group.name)
        let address = port.map { ["PORT=\($0)", "HOST=127.0.0.1"] } ?? []
        let environment =
            containment.serviceUser?.adapt(plan.environment, home: plan.directory) ?? plan.environment
        let identifier = UUID().uuidString
        let statePath = "\(plan.releaseDirectory)/\(name).state"
        let spec = SupervisorSpec(
            identifier: identifier, mode: .service, command: RolloutController.execForm(group.command),
            workingDirectory: plan.directory,
            environment: environment + address + ["KINTO_INSTANCE=\(name)"],
            logPath: "\(plan.releaseDirectory)/console.\(name).log", logStyle: .console,
            logLimit: 10 << 20,
            secrets: plan.secrets, statePath: statePath, stopSignal: stop.signal,
            stopGrace: stop.grace.milliseconds,
            confinement: containment.confineService())
        await journal.log(
            .step("Starting \(name)\(port.map { " on 127.0.0.1:\($0)" } ?? ""): \(group.command)"))
        var instance: Instance?
        do {
            let made = Made()
            let handle = try await supervisors.start(spec) { supervisor in
                let record = Instance(
                    identifier: identifier, name: name, port: port, supervisor: supervisor,
                    statePath: statePath, startedAt: .now)
                try Fault.instanceStarted.reach()
                try await journal.starting(record)
                await made.set(record)
            }
            instance = await made.value
            guard let instance else {
                throw Failure(code: "supervisor-lost", "the supervisor was not recorded")
            }
            lives.watch(instance)
            return Started(instance: instance, group: group, handle: handle)
        } catch {
            if let port { ports.release(port) }
            throw error
        }
    }

    /// What the shell itself does, and exec cannot.
    private static let shellWords: Set<Substring> = [
        "!", ".", ":", "[", "case", "cd", "command", "eval", "exec", "exit", "export", "for", "if", "read",
        "return", "set",
        "shift", "source", "trap", "ulimit", "umask", "unset", "until", "wait", "while",
    ]

    /// A command that is one program gets the shell's place, so that signals and the pid are its own.
    static func execForm(_ command: String) -> String {
        let first = command.prefix { $0 != " " }
        let isOneProgram =
            !command.contains { ";&|<>()`\n{}".contains($0) } && !first.contains("=")
            && !shellWords.contains(first)
        return isOneProgram ? "exec \(command)" : command
    }

    /// One that was let run.
    struct Started: Sendable {
        let instance: Instance
        let group: ProcessGroup
        let handle: SupervisorHandle
    }

    private actor Made {
        var value: Instance?
        func set(_ value: Instance) { self.value = value }
    }
}
