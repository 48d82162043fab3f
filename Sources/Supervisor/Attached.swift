// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Wire

/// The one who has the command's input and output. While the connection lasts the command runs; over it the command's end is
/// told.
struct Attached {
    let connection: Descriptor
    /// Input, output, errors; of a terminal one, three times. Let go when the command has them.
    var descriptors: [Descriptor]

    /// How long the supervisor waits for somebody, in milliseconds.
    private static let patience: Int32 = 10_000

    /// Waits for the one who was told of the socket, which this process's standard output listens on.
    /// - Returns: nil when nobody came.
    static func wait(_ attachment: SupervisorSpec.Attachment) -> Attached? {
        let listener = Descriptor(owning: dup(1))
        // Nobody else is to come, and nothing of the command is to keep it open.
        if let null = try? Descriptor.open("/dev/null", O_WRONLY) { dup2(null.raw, 1) }
        defer { unlink(attachment.path) }
        var poller = pollfd(fd: listener.raw, events: Int16(POLLIN), revents: 0)
        guard poll(&poller, 1, patience) > 0 else { return nil }
        let raw = accept(listener.raw, nil, nil)
        guard raw >= 0 else { return nil }
        _ = fcntl(raw, F_SETFD, FD_CLOEXEC)
        let connection = Descriptor(owning: raw)
        UnixSocket.setPatience(Int(patience), of: connection)
        do {
            if attachment.isTerminal {
                let terminal = try UnixSocket.receive(from: connection)
                return Attached(connection: connection, descriptors: [terminal, terminal, terminal])
            }
            var descriptors: [Descriptor] = []
            for _ in 0..<3 { descriptors.append(try UnixSocket.receive(from: connection)) }
            return Attached(connection: connection, descriptors: descriptors)
        } catch { return nil }
    }

    /// For poll(2): whether the other end is there.
    var poller: pollfd { pollfd(fd: connection.raw, events: Attached.hangUp, revents: 0) }
    /// POLLRDHUP (poll(2)), which Swift does not see.
    private static let hangUp: Int16 = 0x2000

    /// The last word.
    func tell(_ state: SupervisorState) { try? Frame.write(state.fields, to: connection) }
}
