// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport

/// One end of a TCP connection, blocking, at most three minutes at a time: the machine may have much to do.
final class Line {
    private let fd: Int32
    private var buffer: [UInt8] = []
    private var isClosed = false

    init(_ fd: Int32) {
        self.fd = fd
        var patience = timeval(tv_sec: 180, tv_usec: 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    convenience init(_ port: UInt16) throws {
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        let code = Line.withLoopback(port) { connect(fd, $0, $1) }
        guard code == 0 else {
            Foundation.close(fd)
            throw Trouble("connect: \(errno)")
        }
        self.init(fd)
    }

    deinit { close() }

    func close() {
        if !isClosed { Foundation.close(fd) }
        isClosed = true
    }

    static func listener() throws -> (fd: Int32, port: UInt16) {
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard withLoopback(0, { bind(fd, $0, $1) }) == 0, listen(fd, 128) == 0 else {
            throw Trouble("listen")
        }
        var name = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &name) { pointer in
            _ = pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(fd, $0, &length) }
        }
        return (fd, UInt16(bigEndian: name.sin_port))
    }

    private static func withLoopback(_ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32)
        -> Int32
    {
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    func send(_ text: String) throws {
        let bytes = Array(text.utf8)
        guard Foundation.send(fd, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
            throw Trouble("send: \(errno)")
        }
    }

    func read(until mark: String) throws -> String {
        while true {
            if let range = buffer.firstRange(of: Array(mark.utf8)) {
                defer { buffer.removeSubrange(..<range.upperBound) }
                return String(decoding: buffer[..<range.upperBound], as: UTF8.self)
            }
            guard try fill() else { throw Trouble("ended") }
        }
    }

    func readToEnd() throws -> String {
        while try fill() {}
        return String(decoding: buffer, as: UTF8.self)
    }

    private func fill() throws -> Bool {
        var chunk = [UInt8](repeating: 0, count: 4096)
        let count = recv(fd, &chunk, chunk.count, 0)
        guard count >= 0 else { throw Trouble("recv: \(errno)") }
        buffer += chunk[..<count]
        return count > 0
    }

    /// The head of the answer.
    func get() throws -> String {
        try send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let head = try read(until: "\r\n\r\n")
        _ = try read(until: "!")
        return head
    }

    func upgrade() throws -> Bool {
        try send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        return try read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 101 ")
    }

    func echo(_ text: String) throws -> Bool {
        try send("\(text)\n")
        return try read(until: "\n") == "\(text)\n"
    }

    /// The instance's side.
    func serve() {
        while let head = try? read(until: "\r\n\r\n") {
            guard head.lowercased().contains("upgrade: echo") else {
                guard (try? send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi!")) != nil else { return }
                continue
            }
            try? send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
            while let line = try? read(until: "\n"), (try? send(line)) != nil {}
        }
    }
}
