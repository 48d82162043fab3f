// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import Wire

/// A visitor's connection until it is encrypted; then it goes on as what both sides agreed to speak.
final class TLSHandshake: Endpoint {
    private let address: [UInt8]
    private var channel: TLSChannel?
    private var hasBegun = false

    override var visitor: [UInt8]? { address }

    init(fd: Int32, address: [UInt8], worker: Worker) {
        self.address = address
        super.init(fd: fd, interest: Endpoint.input, worker: worker)
        channel = worker.tls.flatMap { TLSChannel(fd: fd, settings: $0) }
        deadline = worker.now + Int64(worker.limits.headerTime)
    }

    override func ready(_ events: UInt32) {
        guard let channel, events & Endpoint.broken == 0, hasBegun || beginsWell() else { return close() }
        guard isOpen else { return }
        switch channel.accept() {
        case .wantsInput: want(Endpoint.input)
        case .wantsOutput: want(Endpoint.output)
        case .failed:
            // What the library said about it is seen, and not lost to a reset for bytes that nobody read.
            shutdown(fd, Int32(SHUT_WR))
            close()
        case .done:
            let next: Endpoint? =
                channel.isHTTP2
                ? HTTP2Connection(fd: fd, address: address, channel: channel, worker: worker)
                : SecureConnection(fd: fd, address: address, channel: channel, worker: worker)
            guard let next else { return close() }
            worker.replace(self, by: next)
            worker.turn(next)
        }
    }

    /// False: no handshake. Who speaks HTTP here is told so, without encryption, as that is what it understands.
    private func beginsWell() -> Bool {
        var first: UInt8 = 0
        let count = recv(fd, &first, 1, Int32(MSG_PEEK))
        guard count > 0 else { return count < 0 && (errno == EAGAIN || errno == EINTR) }
        hasBegun = true
        guard (0x41...0x5A).contains(first) else { return true }
        var answer = ByteQueue()
        OwnAnswer(400, "this port speaks HTTPS").write(keepsAlive: false, bodiless: false, to: &answer)
        // So that the end is no reset.
        _ = recv(fd, worker.scratch.baseAddress, worker.scratch.count, 0)
        _ = answer.flush(to: fd)
        shutdown(fd, Int32(SHUT_WR))
        return false
    }

    override func expired() { close() }
    override func endHastily() { close() }
}
