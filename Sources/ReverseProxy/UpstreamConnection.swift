// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import Wire

/// A connection to an instance: serves one request at a time, idles in its server's pool between.
final class UpstreamConnection: Endpoint {
    let server: UpstreamState.Server
    /// Whose request is on its way; set back by that client before either of the two is closed for good.
    var client: ClientConnection?
    var input = ByteQueue()
    var output = ByteQueue()
    /// Whether it has carried an answer before.
    var isReused = false
    var lastUsed: Int64 = 0
    private(set) var isConnected = false
    /// Whether it took no more: what follows may lack its end.
    private(set) var isBroken = false
    /// Whether nothing is left over of a request that was answered.
    var isInStep: Bool { input.isEmpty && output.isEmpty && !isBroken }
    /// Whether it may carry a request: it has not ended, and nothing came that was not asked for.
    var isQuiet: Bool {
        guard isOpen else { return false }
        var byte: UInt8 = 0
        return recv(fd, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)) < 0
            && errno == EAGAIN
    }

    init?(server: UpstreamState.Server, worker: Worker) {
        self.server = server
        let fd = socket(
            AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard fd >= 0 else { return nil }
        var one: Int32 = 1
        setsockopt(fd, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = server.port.bigEndian
        name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 || errno == EINPROGRESS else {
            Glibc.close(fd)
            return nil
        }
        isConnected = result == 0
        super.init(fd: fd, interest: Endpoint.output, worker: worker)
        worker.add(self)
        deadline = worker.now + Limits.connectTime
    }

    /// As much as the socket takes. False, and nothing waits any more, when it takes no more ever.
    func flush() -> Bool {
        if !isBroken, output.flush(to: fd) { return true }
        isBroken = true
        output = ByteQueue()
        want(Endpoint.input)
        return false
    }

    override func ready(_ events: UInt32) {
        if !isConnected {
            var code: Int32 = 0
            var length = socklen_t(4)
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &length)
            guard code == 0 else {
                close()
                client?.upstreamFailed(connecting: true)
                return
            }
            isConnected = true
        }
        guard let client else {
            // Idle, and it speaks or ends: not to be used any more.
            leavePool()
            return
        }
        // A broken connection is reported until it is read to its end, so that is done even while the visitor is slow.
        if events & Endpoint.broken != 0 { client.stopSplicing() }
        if client.isSplicing {
            if !client.isUpstreamPaused { client.spliceAnswer() }
        } else if events & Endpoint.broken != 0 || events & Endpoint.input != 0 && !client.isUpstreamPaused {
            switch input.fill(from: fd, by: worker.scratch) {
            case .bytes: client.upstreamSpoke()
            case .end: client.upstreamEnded()
            case .failed: client.upstreamFailed(connecting: false)
            case .wouldBlock: break
            }
        }
        if isOpen, events & Endpoint.output != 0 { client.upstreamWritable() }
    }

    override func expired() {
        if let client, !isConnected {
            close()
            client.upstreamFailed(connecting: true)
        } else if let client {
            client.upstreamTimedOut()
        } else {
            leavePool()
        }
    }

    private func leavePool() {
        server.idle.removeAll { $0 === self }
        close()
    }
}
