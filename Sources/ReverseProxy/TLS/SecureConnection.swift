// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// HTTP/1.1 over TLS.
final class SecureConnection: ClientConnection {
    private let channel: TLSChannel

    init(fd: Int32, address: [UInt8], channel: TLSChannel, worker: Worker) {
        self.channel = channel
        super.init(fd: fd, port: nil, address: address, worker: worker)
    }

    override var isSecure: Bool { true }
    override var canSplice: Bool { false }

    override func receive(_ input: inout ByteQueue) -> ByteQueue.Outcome {
        channel.receive(&input, by: worker.scratch)
    }

    override func transmit(_ output: inout ByteQueue) -> Bool { channel.transmit(&output) }

    override func endOutput() {
        channel.end()
        super.endOutput()
    }

    override func close() {
        if isOpen, restsSince != nil { channel.end() }
        super.close()
    }
}
