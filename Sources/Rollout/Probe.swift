// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import KintoCore
internal import Wire

/// Asks one instance whether it is live: over its own port, and believed only when the listening socket belongs to
/// the instance's own process tree.
struct Probe: Sendable {
    let settings: Manifest.Probe
    let port: UInt16
    let supervisor: ProcessIdentity

    /// What one try found.
    enum Finding: Sendable, Equatable {
        case healthy
        case notListening
        case foreign
        case refused
        case silent
        case status(Int, ProbeAnswer)
        case malformed(ProbeAnswer)
    }

    /// Blocks up to the try's own timeout.
    func attempt() -> Finding {
        // The cheap look comes first: no connection is made to a port that nobody of ours holds.
        let listeners = Listeners.all(port: port).filter(\.isReachable)
        guard !listeners.isEmpty else { return .notListening }
        let own = Listeners.of(supervisor, port: port).filter(\.isReachable)
        guard !own.isEmpty, own.count == listeners.count else { return .foreign }
        let finding = ask()
        // Still ours after the answer: else it was somebody else's.
        return supervisor.isRunning ? finding : .notListening
    }

    private func ask() -> Finding {
        let raw = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard raw >= 0 else { return .refused }
        let connection = Descriptor(owning: raw)
        let deadline = ContinuousClock.now + settings.timeout.duration
        var patience = timeval(
            tv_sec: settings.timeout.milliseconds / 1000, tv_usec: settings.timeout.milliseconds % 1000 * 1000
        )
        setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(raw, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let connected = withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(raw, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard connected else { return errno == EINPROGRESS || errno == EAGAIN ? .silent : .refused }
        guard let path = settings.path else { return .healthy }
        let request =
            "GET \(path) HTTP/1.1\r\nHost: \(settings.host)\r\nUser-Agent: kinto-probe\r\nConnection: close\r\nAccept: */*\r\n\r\n"
        var sent = 0
        let bytes = Array(request.utf8)
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                send(raw, $0.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return .silent }
            sent += count
        }
        var answer: [UInt8] = []
        // The status line is enough; the rest is evidence.
        read(connection, until: 1024, deadline, &answer)
        guard let line = answer.split(separator: 0x0A, maxSplits: 1).first else { return .silent }
        let words = line.split(separator: 0x20)
        guard words.count >= 2, words[0].starts(with: "HTTP/1.".utf8),
            let status = Int(String(decoding: words[1], as: UTF8.self))
        else {
            return .malformed(ProbeAnswer(answer))
        }
        if settings.status.contains(where: { $0.contains(status) }) { return .healthy }
        read(connection, until: ProbeAnswer.limit, deadline, &answer)
        return .status(status, ProbeAnswer(answer))
    }

    private func read(
        _ connection: Descriptor, until size: Int, _ deadline: ContinuousClock.Instant,
        _ answer: inout [UInt8]
    ) {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while answer.count < size, ContinuousClock.now <= deadline {
            let count = recv(connection.raw, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            answer += buffer[0..<count]
        }
    }
}

extension Manifest.Probe {
    /// What the probe asks, as people are told.
    var question: String { "asked: GET \(path ?? "/") HTTP/1.1, Host: \(host)" }
}
