// SPDX-License-Identifier: Apache-2.0
internal import CTLS

/// The encryption of one connection. Confined to its worker's thread.
final class TLSChannel {
    private let stream: OpaquePointer
    // The library refers to them by a bare pointer.
    private let certificates: Certificates

    /// nil when there is no memory.
    init?(fd: Int32, settings: TLSSettings) {
        certificates = settings.certificates
        guard
            let made = kinto_tls_stream_create(
                settings.context.pointer, fd, Unmanaged.passUnretained(certificates).toOpaque())
        else { return nil }
        stream = made
    }

    deinit { kinto_tls_stream_free(stream) }

    enum Handshake { case done, wantsInput, wantsOutput, failed }

    func accept() -> Handshake {
        switch Int(kinto_tls_stream_accept(stream)) {
        case 1: .done
        case KINTO_TLS_WANTS_INPUT: .wantsInput
        case KINTO_TLS_WANTS_OUTPUT: .wantsOutput
        default: .failed
        }
    }

    /// Whether the visitor speaks HTTP/2; known when the handshake is done.
    var isHTTP2: Bool { kinto_tls_stream_is_h2(stream) != 0 }

    /// One record at most: what follows is still in the socket, and reported again.
    func receive(_ queue: inout ByteQueue, by scratch: UnsafeMutableRawBufferPointer) -> ByteQueue.Outcome {
        let count = kinto_tls_stream_read(stream, scratch.baseAddress, scratch.count)
        switch count {
        case 1...:
            queue.append(UnsafeRawBufferPointer(rebasing: scratch[..<count]))
            return .bytes(count)
        case KINTO_TLS_ENDED: return .end
        case KINTO_TLS_WANTS_INPUT, KINTO_TLS_WANTS_OUTPUT: return .wouldBlock
        default: return .failed
        }
    }

    /// As much as the socket takes. False when the connection is broken.
    func transmit(_ queue: inout ByteQueue) -> Bool {
        while !queue.isEmpty {
            let count = queue.withBytes { kinto_tls_stream_write(stream, $0.baseAddress, $0.count) }
            if count > 0 {
                queue.drop(count)
            } else {
                return count == KINTO_TLS_WANTS_OUTPUT || count == KINTO_TLS_WANTS_INPUT
            }
        }
        return true
    }

    /// Tells the visitor that nothing more comes: that this end was meant (RFC 8446, 6.1).
    func end() { kinto_tls_stream_end(stream) }
}
