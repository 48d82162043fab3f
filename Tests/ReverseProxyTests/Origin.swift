// SPDX-License-Identifier: Apache-2.0
import Foundation
import Synchronization
import TestSupport

/// A real TCP server of a test, in the place of a release's instance: each connection is given to `serve` on a thread
/// of its own.
final class Origin: Sendable {
    let port: UInt16
    private let listener: Int32
    private let accepted = Mutex(0)
    private let ended = DispatchSemaphore(value: 0)

    /// How many connections came.
    var connections: Int { accepted.withLock { $0 } }

    /// - Parameter port: 0 for any that is free.
    init(on port: UInt16 = 0, _ serve: @escaping @Sendable (Peer) throws -> Void) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var one: Int32 = 1
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, 4)
        var name = Peer.loopback(port)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let ok = withUnsafeMutablePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 128) == 0
                    && getsockname(listener, $0, &length) == 0
            }
        }
        guard ok else { throw Trouble("no origin") }
        self.port = UInt16(bigEndian: name.sin_port)
        self.listener = listener
        Thread.detachNewThread { [self] in
            while true {
                let fd = accept(listener, nil, nil)
                guard fd >= 0 else {
                    Foundation.close(listener)
                    ended.signal()
                    return
                }
                accepted.withLock { $0 += 1 }
                Thread.detachNewThread { try? serve(Peer(fd: fd)) }
            }
        }
    }

    /// One that answers every request with 200 and `body`.
    static func saying(_ body: String) throws -> Origin {
        try Origin { peer in
            while true {
                _ = try peer.readMessage()
                try peer.send("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
            }
        }
    }

    /// Takes no more connections.
    func close() {
        shutdown(listener, Int32(SHUT_RDWR))
        ended.wait()
    }
}

/// Something that another thread brings: waited for at most three minutes.
final class Slot<Value: Sendable>: Sendable {
    private let value = Mutex<[Value]>([])
    private let filled = DispatchSemaphore(value: 0)

    func put(_ new: Value) {
        value.withLock { $0.append(new) }
        filled.signal()
    }

    func take() throws -> Value {
        guard filled.wait(timeout: .now() + 180) == .success else {
            throw Trouble("nothing came within three minutes")
        }
        return value.withLock { $0.removeFirst() }
    }
}
