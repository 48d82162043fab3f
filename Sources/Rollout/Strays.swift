// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
public import Wire

/// Processes that are kinto's by a mark in their environment (environ(7), `/proc/PID/environ`), whoever their parent
/// is by now.
public enum Strays {
    /// The variables that mark a process: the home it was started for, and the instance it belongs to.
    static let marks = ["KINTO_HOME_ID", "KINTO_INSTANCE_ID"]

    static func instanceMark(_ identifier: String) -> String { "KINTO_INSTANCE_ID=\(identifier)" }

    /// Those entries of an environment that are marks.
    static func marks(in environment: [String]) -> [String] {
        environment.filter { entry in marks.contains { entry.hasPrefix("\($0)=") } }
    }

    /// Ends every process whose environment entries satisfy `isStray`, until there is none. Supervisors first: they
    /// end their tree themselves, also what hid its mark, and a service that is killed before its supervisor would
    /// only be started again. Blocks.
    /// - Parameter latest: what was started after it is none.
    public static func end(before latest: ProcessIdentity? = nil, _ isStray: ([String]) -> Bool) {
        func all() -> [ProcessIdentity] {
            Strays.all(isStray).filter { latest == nil || $0.startTicks < latest?.startTicks ?? 0 }
        }
        let supervisors = all().filter(isSupervisor)
        for supervisor in supervisors { supervisor.send(SIGINT) }
        for supervisor in supervisors { endSupervisor(supervisor) }
        // Processes may be born while others are killed: again until a look finds none.
        for _ in 0..<50 {
            let found = all()
            if found.isEmpty { return }
            for process in found { process.send(SIGKILL) }
        }
    }

    private static func all(_ isStray: ([String]) -> Bool) -> [ProcessIdentity] {
        ProcessTable.all().compactMap { pid in
            guard pid != getpid(), let identity = ProcessIdentity(running: pid), identity.isRunning,
                isStray(entries("/proc/\(pid)/environ"))
            else { return nil }
            return identity
        }
    }

    private static func isSupervisor(_ process: ProcessIdentity) -> Bool {
        entries("/proc/\(process.pid)/cmdline").starts(with: SupervisorClient.arguments)
    }

    /// SIGINT lets it end its tree without grace; one that does not manage is killed.
    private static func endSupervisor(_ supervisor: ProcessIdentity) {
        guard let life = supervisor.open() else { return }
        kinto_pidfd_send_signal(life.raw, SIGINT)
        var poller = pollfd(fd: life.raw, events: Int16(POLLIN), revents: 0)
        if poll(&poller, 1, 5_000) == 0 { kinto_pidfd_send_signal(life.raw, SIGKILL) }
    }

    /// The NUL-separated strings of a file in /proc; none when it is gone or another's.
    private static func entries(_ path: String) -> [String] {
        guard let bytes = try? Files.read(path) else { return [] }
        return bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }
}
