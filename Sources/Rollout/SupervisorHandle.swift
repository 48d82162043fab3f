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
    /// Whether it is this process's child, which has to be waited for.
    let isChild: Bool

    init(supervisor: ProcessIdentity, statePath: String, identifier: String, grace: Int, isChild: Bool) {
        self.supervisor = supervisor
        self.statePath = statePath
        self.identifier = identifier
        self.grace = grace
        self.isChild = isChild
    }

    /// Takes over what an earlier server recorded.
    public init(_ instance: Instance, grace: TimeSpan) {
        // Whether it is a child is decided by the kernel: waiting for another's child just fails.
        self.init(
            supervisor: instance.supervisor, statePath: instance.statePath, identifier: instance.identifier,
            grace: grace.milliseconds, isChild: true)
    }

    public var isRunning: Bool { supervisor.isRunning }

    public func observations() -> AsyncStream<StateWatcher.Observation> {
        StateWatcher.follow(statePath, supervisor: supervisor)
    }

    public func state() -> SupervisorState? { try? SupervisorState.read(statePath) }

    /// Runs the stop sequence and returns when nothing of the tree is left.
    public func stop(grace override: Int? = nil) async {
        let (supervisor, identifier, isChild) = (supervisor, identifier, isChild)
        let patience = override ?? grace
        _ = try? await Blocking.run {
            if let life = supervisor.open() {
                if patience > 0 { kinto_pidfd_send_signal(life.raw, SIGTERM) }
                var poller = pollfd(fd: life.raw, events: Int16(POLLIN), revents: 0)
                if patience == 0 || poll(&poller, 1, Int32(clamping: patience + 5_000)) == 0 {
                    // SIGINT: no grace; the supervisor kills the tree itself, so that nothing is missed.
                    kinto_pidfd_send_signal(life.raw, SIGINT)
                    if poll(&poller, 1, 5_000) == 0 { kinto_pidfd_send_signal(life.raw, SIGKILL) }
                }
            }
            if isChild {
                var status: Int32 = 0
                waitpid(supervisor.pid, &status, 0)
            }
            Strays.kill { $0.contains("KINTO_INSTANCE_ID=\(identifier)") }
        }
    }
}

/// Processes that are kinto's by a mark in their environment, whoever their parent is by now.
public enum Strays {
    /// Kills every process whose environment entries satisfy `isStray`, until there is none. Blocks.
    public static func kill(_ isStray: ([String]) -> Bool) {
        for _ in 0..<50 {
            var found = false
            for pid in ProcessTable.all() where pid != getpid() {
                guard let identity = ProcessIdentity(running: pid), identity.isRunning,
                    isStray(environment(pid))
                else { continue }
                found = identity.send(SIGKILL) || found
            }
            if !found { return }
        }
    }

    private static func environment(_ pid: Int32) -> [String] {
        guard let bytes = try? Files.read("/proc/\(pid)/environ"), !bytes.isEmpty else { return [] }
        return bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }
}
