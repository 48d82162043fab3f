// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import KintoCore
internal import Wire

/// One run of a command that the operator gave, with what it printed.
struct ShellCommand: Sendable {
    struct Outcome: Sendable {
        /// As a shell says it: 128 and the signal for one that was killed.
        let status: Int32
        let output: String
        /// Standard error, without empty lines.
        let errors: [String]
    }

    /// For `/bin/sh`.
    let line: String

    /// Debian's administration programs are not in everybody's PATH.
    private static let path: String = {
        let own = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
        return "\(own):/usr/sbin:/sbin"
    }()

    /// - Throws: `SystemError` when it cannot be started. A command that takes longer than `seconds` is killed.
    func run(seconds: Int = 60) async throws -> Outcome {
        try await Blocking.run {
            let (pid, output, errors) = try start()
            let end = ContinuousClock.now + .seconds(seconds)
            var texts: [[UInt8]] = [[], []]
            var polls = [output, errors].map { pollfd(fd: $0.raw, events: Int16(POLLIN), revents: 0) }
            var buffer = [UInt8](repeating: 0, count: 65_536)
            while polls.contains(where: { $0.fd >= 0 }) {
                let left = max(0, ContinuousClock.now.duration(to: end).components.seconds * 1000)
                let count = poll(&polls, 2, Int32(clamping: left))
                if count < 0, errno == EINTR { continue }
                if count <= 0 {
                    kill(-pid, SIGKILL)
                    break
                }
                for index in polls.indices where polls[index].fd >= 0 && polls[index].revents != 0 {
                    let count = read(polls[index].fd, &buffer, buffer.count)
                    if count > 0 {
                        texts[index] += buffer[..<count]
                    } else if count == 0 || errno != EINTR {
                        polls[index].fd = -1
                    }
                }
            }
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0, errno == EINTR {}
            let code = status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F)
            let lines = String(decoding: texts[1], as: UTF8.self).split(separator: "\n").map(String.init)
            return Outcome(status: code, output: String(decoding: texts[0], as: UTF8.self), errors: lines)
        }
    }

    /// The ends that the command writes to are closed here when this returns.
    private func start() throws -> (pid: Int32, output: Descriptor, errors: Descriptor) {
        let (output, outputEnd) = try ShellCommand.pipe()
        let (errors, errorsEnd) = try ShellCommand.pipe()
        let home = getenv("HOME").map { String(cString: $0) } ?? "/"
        let pid = try Spawn(
            path: "/bin/sh", arguments: ["sh", "-c", line],
            environment: ["PATH=\(ShellCommand.path)", "HOME=\(home)", "LC_ALL=C"], workingDirectory: "/",
            standardOutput: outputEnd, standardError: errorsEnd, newSession: true
        ).start()
        return (pid, output, errors)
    }

    private static func pipe() throws -> (read: Descriptor, write: Descriptor) {
        var ends: [Int32] = [0, 0]
        try check("pipe") { kinto_pipe(&ends) }
        return (Descriptor(owning: ends[0]), Descriptor(owning: ends[1]))
    }
}
