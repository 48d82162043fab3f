// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import Glibc
internal import Wire

/// Passes input, output and errors on between this process and a command that the server runs. The command gets pipes, and
/// never a terminal of ours.
enum RunRelay {
    /// - Returns: the command's exit status, 128 and the signal's number when a signal ended it.
    static func run(_ socket: String) throws -> Int32 {
        signal(SIGPIPE, SIG_IGN)
        let connection = try UnixSocket.connect(socket)
        let (feed, output, errors) = try handPipes(over: connection)
        Thread.detachNewThread {
            copy(0, feed)
            // The command sees the end of its input.
            close(feed)
        }
        let shown = Shown(2)
        for (from, to) in [(output, Int32(1)), (errors, 2)] {
            Thread.detachNewThread {
                shown.after {
                    copy(from, to)
                    // Where nobody reads ours, nobody reads the command's.
                    close(from)
                }
            }
        }
        let status = end(connection)
        shown.wait()
        return status
    }

    /// - Returns: our ends, to be closed by the caller; those of the command are its own when this returns.
    private static func handPipes(over connection: Descriptor) throws -> (
        feed: Int32, output: Int32, errors: Int32
    ) {
        let (input, output, errors) = (try pipe(), try pipe(), try pipe())
        for end in [input.reading, output.writing, errors.writing] {
            try UnixSocket.send(end, over: connection)
        }
        let ours = try [input.writing, output.reading, errors.reading].map { end in
            try check("fcntl") { fcntl(end.raw, F_DUPFD_CLOEXEC, 3) }
        }
        return (ours[0], ours[1], ours[2])
    }

    /// The command's end, as its supervisor tells it.
    static func end(_ connection: Descriptor) -> Int32 {
        guard let fields = try? Frame.read(from: connection), let state = try? SupervisorState(fields) else {
            Output.trouble("nobody knows how the command ended: its supervisor was killed")
            return 1
        }
        if state.cause == .memory { Output.trouble("it ran out of memory, and was ended") }
        switch state.ending {
        case .exited(let code): return code
        case .signaled(let signal): return 128 + signal
        case .unstartable(let code, let operation):
            Output.trouble("it could not be started: \(SystemError(operation, code: code))")
            return 126
        case nil: return 1
        }
    }

    /// Until one of the two ends.
    static func copy(_ from: Int32, _ to: Int32) {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(from, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            var done = 0
            while done < count {
                let written = buffer.withUnsafeBytes { bytes in
                    bytes.baseAddress.map { write(to, $0 + done, count - done) } ?? -1
                }
                if written < 0, errno == EINTR { continue }
                guard written > 0 else { return }
                done += written
            }
        }
    }

    private static func pipe() throws -> (reading: Descriptor, writing: Descriptor) {
        var ends: [Int32] = [-1, -1]
        try check("pipe") { Glibc.pipe(&ends) }
        return (Descriptor(owning: ends[0]), Descriptor(owning: ends[1]))
    }
}

/// What is waited for before the end: that everything was shown.
final class Shown: Sendable {
    private let group = DispatchGroup()

    init(_ count: Int) { for _ in 0..<count { group.enter() } }

    func after(_ body: () -> Void) {
        body()
        group.leave()
    }

    /// Somebody who was given a copy of the output's end may keep it: two seconds are enough.
    func wait() { _ = group.wait(timeout: .now() + 2) }
}
