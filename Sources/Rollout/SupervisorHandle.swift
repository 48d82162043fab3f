// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
public import KintoCore
public import Wire

/// A running supervisor: one that was started here, or one that was taken over.
public struct SupervisorHandle: Sendable {
    public let supervisor: ProcessIdentity
    let statePath: String
    let identifier: String
    /// Milliseconds.
    let grace: Int
    init(supervisor: ProcessIdentity, statePath: String, identifier: String, grace: Int) {
        self.supervisor = supervisor
        self.statePath = statePath
        self.identifier = identifier
        self.grace = grace
    }

    /// Takes over what an earlier server recorded.
    public init(_ instance: Instance, grace: TimeSpan) {
        self.init(
            supervisor: instance.supervisor, statePath: instance.statePath, identifier: instance.identifier,
            grace: grace.milliseconds)
    }

    /// The same of a run; nil: it was never let run.
    public init?(_ run: Run) {
        guard let supervisor = run.supervisor else { return nil }
        self.init(
            supervisor: supervisor, statePath: run.statePath, identifier: run.identifier,
            grace: run.grace?.milliseconds ?? 10_000)
    }

    public var isRunning: Bool { supervisor.isRunning }

    public func observations() -> AsyncStream<StateWatcher.Observation> {
        StateWatcher.follow(statePath, supervisor: supervisor)
    }

    public func state() -> SupervisorState? { try? SupervisorState.read(statePath) }

    /// Runs the stop sequence and returns when nothing of the tree is left.
    /// - Parameter override: milliseconds after which the tree is killed, instead of its own grace.
    public func stop(grace override: Int? = nil) async {
        let (supervisor, statePath, identifier) = (supervisor, statePath, identifier)
        // Its own grace is the supervisor's to keep; the rest is for a supervisor that does not.
        let patience = override ?? grace + 5_000
        let life = await supervisor.life()
        _ = try? await Blocking.run {
            if let life {
                if patience > 0 { kinto_pidfd_send_signal(life.raw, SIGTERM) }
                Fault.stopSent.pass()
                var poller = pollfd(fd: life.raw, events: Int16(POLLIN), revents: 0)
                if patience == 0 || poll(&poller, 1, Int32(clamping: patience)) == 0 {
                    // SIGINT: no grace; the supervisor kills the tree itself, so that nothing is missed.
                    kinto_pidfd_send_signal(life.raw, SIGINT)
                    if poll(&poller, 1, 5_000) == 0 {
                        kinto_pidfd_send_signal(life.raw, SIGKILL)
                        poll(&poller, 1, 5_000)
                    }
                }
            }
            // Ours to reap if this server started it; without waiting, for the number may be another's by now.
            var status: Int32 = 0
            waitpid(supervisor.pid, &status, WNOHANG)
            // A supervisor that came to its end has seen its tree empty; one that was killed has not.
            if let last = try? SupervisorState.read(statePath), last.identifier == identifier,
                last.phase == .ended
            {
                return
            }
            Strays.end { $0.contains(Strays.instanceMark(identifier)) }
            // Also what hid its mark.
            if let last = try? SupervisorState.read(statePath), last.identifier == identifier {
                ControlGroup.end(last.groupDirectories)
            }
        }
    }
}
