// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport

/// One end of a real TCP connection, blocking, with a limit of three minutes on every wait. Used by one thread at a time.
final class Peer {
    let fd: Int32
    private var buffer: [UInt8] = []

    init(fd: Int32) {
        self.fd = fd
        var patience = timeval(tv_sec: 180, tv_usec: 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var one: Int32 = 1
        setsockopt(fd, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
    }

    /// - Parameter buffers: bytes that the kernel may keep for it each way; nil: as many as it likes.
    convenience init(connecting port: UInt16, buffers: Int32? = nil, from address: String? = nil) throws {
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        if var buffers {
            setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffers, socklen_t(MemoryLayout<Int32>.size))
            setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffers, socklen_t(MemoryLayout<Int32>.size))
        }
        if let address {
            var source = Peer.loopback(0)
            inet_pton(AF_INET, address, &source.sin_addr)
            withUnsafePointer(to: &source) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    _ = bind(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        var name = Peer.loopback(port)
        let code = withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0 else {
            Foundation.close(fd)
            throw Trouble("connect to \(port): \(errno)")
        }
        self.init(fd: fd)
    }

    deinit { Foundation.close(fd) }

    static func loopback(_ port: UInt16) -> sockaddr_in {
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return name
    }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Foundation.send(fd, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Trouble("send: \(errno)") }
            sent += count
        }
    }

    /// As much as the kernel takes without waiting.
    func sendWhatFits(_ bytes: [UInt8]) -> Int {
        bytes.withUnsafeBytes {
            Foundation.send(fd, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
        }
    }

    /// False at the end of the connection.
    private func fill() throws -> Bool {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = recv(fd, &chunk, chunk.count, 0)
        if count < 0 {
            if errno == ECONNRESET { throw Trouble("reset") }
            throw Trouble(
                "nothing came within three minutes; so far: \(String(decoding: buffer.suffix(300), as: UTF8.self))"
            )
        }
        buffer += chunk[0..<count]
        return count > 0
    }

    /// Up to and with `mark`.
    func read(until mark: String) throws -> String {
        let wanted = Array(mark.utf8)
        while true {
            if let range = buffer.firstRange(of: wanted) {
                defer { buffer.removeSubrange(..<range.upperBound) }
                return String(decoding: buffer[..<range.upperBound], as: UTF8.self)
            }
            guard try fill() else {
                throw Trouble("ended; so far: \(String(decoding: buffer, as: UTF8.self))")
            }
        }
    }

    func readHead() throws -> String { try read(until: "\r\n\r\n") }

    func read(_ count: Int) throws -> String {
        while buffer.count < count {
            guard try fill() else {
                throw Trouble("ended; so far: \(String(decoding: buffer, as: UTF8.self))")
            }
        }
        defer { buffer.removeFirst(count) }
        return String(decoding: buffer[..<count], as: UTF8.self)
    }

    /// What comes next; nothing at the end.
    func readSome() throws -> [UInt8] {
        if buffer.isEmpty { _ = try fill() }
        defer { buffer = [] }
        return buffer
    }

    func readBytes(_ count: Int) throws -> [UInt8] {
        while buffer.count < count {
            guard try fill() else { throw Trouble("ended after \(buffer.count) bytes") }
        }
        defer { buffer.removeFirst(count) }
        return Array(buffer[..<count])
    }

    func readToEnd() throws -> String {
        while try fill() {}
        defer { buffer = [] }
        return String(decoding: buffer, as: UTF8.self)
    }

    /// Reads and counts bytes up to so many; fewer at the end.
    func drain(_ count: Int) throws -> Int {
        var seen = buffer.count
        buffer = []
        while seen < count, try fill() {
            seen += buffer.count
            buffer = []
        }
        return seen
    }

    /// A head and its body by Content-Length.
    func readMessage() throws -> (head: String, body: String) {
        let head = try readHead()
        let length =
            head.components(separatedBy: "\r\n").first { $0.lowercased().hasPrefix("content-length:") }
            .flatMap { Int($0.split(separator: ":")[1].trimmingCharacters(in: .whitespaces)) } ?? 0
        return (head, try read(length))
    }

    func endSending() { shutdown(fd, Int32(SHUT_WR)) }

    /// Ends the connection with a reset.
    func reset() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
        shutdown(fd, Int32(SHUT_RDWR))
    }
}
