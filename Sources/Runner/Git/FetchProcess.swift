// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import KintoCore
internal import Wire

/// One child that fetches, from its start to its end, watched by one thread that sleeps in poll(2).
final class FetchProcess: Sendable {
    private let spec: FetchSpec
    private let program: String
    private let arguments: [String]
    private let deadline: Duration
    private let onProgress: @Sendable (FetchProgress) -> Void
    private let cancelled: (read: Descriptor, write: Descriptor)

    init(
        _ spec: FetchSpec, program: String, arguments: [String], deadline: Duration,
        onProgress: @escaping @Sendable (FetchProgress) -> Void
    ) throws(SystemError) {
        self.spec = spec
        self.program = program
        self.arguments = arguments
        self.deadline = deadline
        self.onProgress = onProgress
        cancelled = try FetchProcess.pair(SOCK_STREAM)
    }

    /// Makes `run` kill the child and throw, from any thread, also before it began.
    func cancel() { shutdown(cancelled.write.raw, Int32(SHUT_RDWR)) }

    /// Runs the child to its end on a thread of its own, then calls `completion` once.
    func start(_ completion: @escaping @Sendable (Result<CommitID, any Error>) -> Void) {
        do {
            _ = try WorkerThread.start(detached: true) { [self] in completion(Result { try run() }) }
        } catch { completion(.failure(error.failure("Starting the fetch"))) }
    }

    /// Runs the child to its end. Blocks.
    private func run() throws -> CommitID {
        let began = ContinuousClock.now
        let end = began.advanced(by: deadline)
        let limits = spec.limits
        var lastSign = began
        let child: (pid: Int32, handle: Descriptor, input: Descriptor, output: Descriptor)
        do throws(SystemError) { child = try spawn() } catch { throw error.failure("Starting the fetch") }
        Fault.fetching.pass()
        var answer = FetchAnswer()
        var stop: Stop?
        var outputIsOpen = true
        var buffer = [UInt8](repeating: 0, count: 16384)
        while true {
            var waits = [
                pollfd(fd: child.handle.raw, events: Int16(POLLIN), revents: 0),
                pollfd(fd: outputIsOpen ? child.output.raw : -1, events: Int16(POLLIN), revents: 0),
                // Once it is being killed nothing but its end counts.
                pollfd(fd: stop == nil ? cancelled.read.raw : -1, events: Int16(POLLIN), revents: 0),
            ]
            // The next moment at which it is too late for something.
            let (next, why): (ContinuousClock.Instant, Stop) =
                if answer.isReceived {
                    (end, .late)
                } else {
                    answer.isConnected
                        ? (lastSign.advanced(by: .milliseconds(limits.stallTime)), .stalled)
                        : (began.advanced(by: .milliseconds(limits.connectTime)), .unconnected)
                }
            let ready = poll(
                &waits, nfds_t(waits.count),
                stop == nil ? FetchProcess.milliseconds(until: min(next, end)) : -1)
            if ready < 0, errno == EINTR { continue }
            if waits[1].revents != 0 {
                let count = read(child.output.raw, &buffer, buffer.count)
                if count > 0 {
                    lastSign = .now
                    for progress in answer.take(buffer[0..<count]) { onProgress(progress) }
                } else if count == 0 || errno != EINTR {
                    outputIsOpen = false
                }
            } else if waits[0].revents != 0 {
                break
            }
            if stop == nil {
                if waits[2].revents != 0 {
                    stop = .cancelled
                } else if ContinuousClock.now >= end {
                    stop = .late
                } else if waits[1].revents == 0, ContinuousClock.now >= next {
                    stop = why
                }
                // Not waited for yet, so that the number is still the child's, and its group's.
                if stop != nil { kill(-child.pid, SIGKILL) }
            }
        }
        var status: Int32 = 0
        while waitpid(child.pid, &status, 0) < 0, errno == EINTR {}
        if answer.result == nil { FetchMirror.sweep(spec.repository) }
        return try result(answer, stop, status)
    }

    private enum Stop { case late, unconnected, stalled, cancelled }

    private func result(_ answer: FetchAnswer, _ stop: Stop?, _ status: Int32) throws -> CommitID {
        switch (answer.result, stop) {
        // An answer that came before the kill is as good as any.
        case (.success(let commit)?, _) where stop != .cancelled: return commit
        case (_, .cancelled?): throw CancellationError()
        case (.failure(let failure)?, _): throw failure
        case (_, let stop?):
            let (message, setting) =
                switch stop {
                case .unconnected: ("did not answer", "connect-time")
                case .stalled: ("stopped sending", "stall-time")
                case .late, .cancelled: ("was not done in time after \(deadline)", "total-time")
                }
            throw Failure(
                code: "fetch-timeout",
                "\(spec.address) \(message): the fetch was stopped (limit \(setting)).",
                evidence: answer.lastProgress.map {
                    ["\($0.received) of \($0.total) objects, \($0.bytes) bytes"]
                } ?? [],
                hints: [
                    .init(
                        "check the network, or allow more time",
                        command: "kinto serve --fetch-limit \(setting)=…")
                ])
        default:
            let how = status & 0x7F == 0 ? "status \(status >> 8 & 0xFF)" : "signal \(status & 0x7F)"
            throw Failure(
                code: "fetch-failed", "The fetch process ended with \(how) and without an answer.",
                evidence: answer.otherLines)
        }
    }

    private func spawn() throws(SystemError) -> (Int32, Descriptor, Descriptor, Descriptor) {
        // Sockets, because a write to one can be kept from raising SIGPIPE.
        let input = try FetchProcess.pair(SOCK_STREAM)
        let output = try FetchProcess.pair(SOCK_STREAM)
        let pid = try Spawn(
            path: program, arguments: [program] + arguments,
            environment: ["LANG=C.UTF-8", "PATH=/usr/bin:/bin"],
            standardInput: input.read, standardOutput: output.write, standardError: output.write,
            newSession: true
        ).start()
        let handle = kinto_pidfd_open(pid)
        guard handle >= 0 else {
            let error = SystemError.last("pidfd_open")
            kill(-pid, SIGKILL)
            waitpid(pid, nil, 0)
            throw error
        }
        var rest = Frame.encode(spec.fields)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                send(input.write.raw, $0.baseAddress, $0.count, Int32(truncatingIfNeeded: MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            // A child that is gone already tells so by its end.
            guard count > 0 else { break }
            rest = rest.dropFirst(count)
        }
        return (pid, Descriptor(owning: handle), input.write, output.read)
    }

    private static func pair(_ type: __socket_type) throws(SystemError) -> (
        read: Descriptor, write: Descriptor
    ) {
        var ends: [Int32] = [-1, -1]
        try check("socketpair") {
            socketpair(AF_UNIX, Int32(type.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends)
        }
        return (Descriptor(owning: ends[0]), Descriptor(owning: ends[1]))
    }

    /// For poll(2): rounded up, so that it does not spin just before the end.
    private static func milliseconds(until end: ContinuousClock.Instant) -> Int32 {
        let left = (end - ContinuousClock.now).components
        guard left.seconds >= 0, left.attoseconds >= 0 else { return 0 }
        return Int32(clamping: min(left.seconds, 86400) * 1000 + left.attoseconds / 1_000_000_000_000_000 + 1)
    }
}

/// What the child says of the other side beside its progress.
enum FetchSign: String { case connected, alive }

/// What the child has said so far, line by line.
struct FetchAnswer {
    private(set) var result: Result<CommitID, Failure>?
    private(set) var lastProgress: FetchProgress?
    /// The other side has listed its branches.
    private(set) var isConnected = false
    /// Everything has come; the rest is work of this host.
    var isReceived: Bool { lastProgress.map { $0.total > 0 && $0.received == $0.total } ?? false }
    /// What was none of the known lines, the last few: a crash leaves some.
    private(set) var otherLines: [String] = []
    private var evidence: [String] = []
    private var hints: [Failure.Hint] = []
    private var partial: [UInt8] = []

    /// Takes bytes as they come, and gives the progress that they tell.
    mutating func take(_ bytes: ArraySlice<UInt8>) -> [FetchProgress] {
        var told: [FetchProgress] = []
        partial += bytes
        while let end = partial.firstIndex(of: UInt8(ascii: "\n")) {
            if let progress = line(String(decoding: partial[..<end], as: UTF8.self)) { told.append(progress) }
            partial.removeSubrange(...end)
        }
        // No line of ours is that long.
        if partial.count > 65536 { partial.removeAll() }
        return told
    }

    private mutating func line(_ text: String) -> FetchProgress? {
        let words = text.split(separator: " ", maxSplits: 1)
        guard let first = words.first else { return nil }
        let rest = words.count > 1 ? String(words[1]) : ""
        switch first {
        case Substring(FetchSign.connected.rawValue): isConnected = true
        case Substring(FetchSign.alive.rawValue): break
        case "progress":
            let numbers = rest.split(separator: " ").compactMap { Int($0) }
            guard numbers.count == 3 else { return nil }
            lastProgress = FetchProgress(received: numbers[0], total: numbers[1], bytes: numbers[2])
            return lastProgress
        case "done": if let commit = CommitID(rest) { result = .success(commit) }
        case "evidence": evidence.append(rest)
        case "hint":
            let parts = rest.split(separator: "\t", maxSplits: 1).map(String.init)
            hints.append(.init(parts.first ?? "", command: parts.count > 1 ? parts[1] : nil))
        case "failed":
            let parts = rest.split(separator: " ", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { return nil }
            result = .failure(Failure(code: parts[0], parts[1], evidence: evidence, hints: hints))
        default:
            otherLines.append(shown(text.utf8))
            if otherLines.count > 5 { otherLines.removeFirst() }
        }
        return nil
    }
}
