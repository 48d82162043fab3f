// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import Wire

/// `kinto-runtime supervise`: takes a `SupervisorSpec` from standard input, waits for the gate, and owns the command
/// until nothing of it is left.
public enum SupervisorMain {
    /// - Returns: the exit status: 0, or 2 when the specification cannot be used.
    public static func run() -> Int32 {
        let input = Descriptor(owning: 0)
        let spec: SupervisorSpec
        do {
            guard let fields = try Frame.read(from: input) else { return 0 }
            spec = try SupervisorSpec(fields)
            // The gate: an end instead of the byte means that the command was never recorded.
            guard try input.readExactly(1) == [SupervisorSpec.gate] else { return 0 }
        } catch { return 2 }
        // The other end may go at any moment.
        signal(SIGPIPE, SIG_IGN)
        let attached = spec.attachment.map(Attached.wait)
        guard var supervisor = Supervisor(spec) else { return 2 }
        if let attached {
            guard let attached else {
                supervisor.giveUp()
                return 0
            }
            supervisor.attached = attached
        }
        supervisor.run()
        return 0
    }
}
