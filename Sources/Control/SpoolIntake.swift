// SPDX-License-Identifier: Apache-2.0
internal import HookReceiver
internal import KintoCore
internal import Logging
internal import Wire

/// Takes up what hooks left in the spool: at the start, and whenever one leaves something. An entry is removed after its
/// trigger is accepted; a server that dies between the two takes it up again, and its identifier makes it the same release.
struct SpoolIntake: Sendable {
    let spool: Spool
    let actions: Actions
    let logger: Logger

    /// While what is there cannot be taken, it is tried again so often: room on the disk announces itself to nobody.
    private static let pause = Duration.seconds(2)

    init(_ actions: Actions, logger: Logger) {
        self.actions = actions
        self.logger = logger
        spool = Spool(actions.home)
    }

    /// Until it is cancelled.
    func run() async {
        while !Task.isCancelled {
            for await _ in spool.changes() {
                while await !take(), !Task.isCancelled { try? await Task.sleep(for: Self.pause) }
            }
            // It cannot be watched now: too many inotify instances, a home that is away.
            try? await Task.sleep(for: Self.pause)
        }
    }

    /// - Returns: whether nothing is left that ought to be tried again.
    @discardableResult
    func take() async -> Bool {
        let entries: [Spool.Entry]
        do { entries = try await Blocking.run { [spool] in try spool.entries() } } catch {
            logger.error("the spool cannot be read", metadata: ["error": "\(error)"])
            return false
        }
        var isDone = true
        for entry in entries {
            do { try await accept(entry) } catch {
                isDone = false
                logger.error(
                    "spooled push cannot be accepted; it is tried again",
                    metadata: ["service": "\(entry.service)", "error": "\(error)"])
            }
        }
        return isDone
    }

    private func accept(_ entry: Spool.Entry) async throws {
        guard let service = try await actions.store.service(everCalled: entry.service) else {
            logger.error("spooled push for an unknown service", metadata: ["service": "\(entry.service)"])
            return spool.setAside(entry.path, because: "there is no service '\(entry.service)'")
        }
        let previewed = try await actions.previewed(
            service, try await actions.store.environments(of: service.name), entry.push.changes)
        let plan = entry.push.without(previewed.done).plan(for: previewed.environments)
        for environment in plan.refused {
            logger.error(
                "spooled push is not deployed",
                metadata: [
                    "target": "\(environment.target)", "reason": "\(environment.obstacle?.reason ?? "")",
                ])
        }
        _ = try await actions.accept(entry.push, plan, service, by: entry.account.map { "local \($0)" })
        spool.done(entry)
    }
}
