// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import Glibc

/// Ports on 127.0.0.1 for tests that tell a program where to listen.
public enum FreePort {
    /// One that nothing listens on, and that no other test of any process is given: below those that the kernel gives to
    /// outgoing connections, and below those of kinto's instances. Kept until this process ends.
    public static func take() throws -> UInt16 {
        for _ in 0..<2_000 {
            let port = UInt16.random(in: 10_240...19_999)
            // Looked at when nobody else may be given it: to look takes it for a moment from whoever listens there.
            guard let place = reserve(port) else { continue }
            if isFree(port) { return port }
            close(place)
        }
        throw Trouble("no free port")
    }

    private static func isFree(_ port: UInt16) -> Bool {
        let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(raw) }
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(raw, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    /// By a name that only one process can have, which leaves nothing behind (unix(7), abstract sockets).
    private static func reserve(_ port: UInt16) -> Int32? {
        let raw = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        let text = Array("kinto-test-port-\(port)".utf8)
        withUnsafeMutableBytes(of: &name.sun_path) { $0[1...].copyBytes(from: text) }
        let length = MemoryLayout<sa_family_t>.size + 1 + text.count
        let isOurs = withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(raw, $0, socklen_t(length)) == 0
            }
        }
        if !isOurs { close(raw) }
        return isOurs ? raw : nil
    }
}
