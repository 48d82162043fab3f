// SPDX-License-Identifier: Apache-2.0
public import Glibc

/// Stream sockets in the file system (unix(7)). Paths longer than the 107 bytes that an address holds are reached
/// through a descriptor of their directory.
public enum UnixSocket {
    /// Connects.
    /// - Parameter patience: how long it may take while the listener's queue is full, and each write later;
    ///   nil: as long as it takes. EAGAIN when it is over.
    public static func connect(_ path: String, patience: timeval? = nil) throws(SystemError) -> Descriptor {
        let socket = try make()
        if var patience {
            setsockopt(
                socket.raw, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        }
        try withAddress(path) { (pointer, length) throws(SystemError) in
            try check("connect", path) { Glibc.connect(socket.raw, pointer, length) }
        }
        return socket
    }

    /// Binds and listens, after removing what stood there. Only one process may own `path`: hold a lock.
    public static func listen(_ path: String, mode: mode_t = 0o600, backlog: Int32 = 128) throws(SystemError)
        -> Descriptor
    {
        let socket = try make()
        unlink(path)
        let old = umask(0o777 & ~mode)
        defer { umask(old) }
        try withAddress(path) { (pointer, length) throws(SystemError) in
            try check("bind", path) { bind(socket.raw, pointer, length) }
        }
        try check("listen", path) { Glibc.listen(socket.raw, backlog) }
        return socket
    }

    private static func make() throws(SystemError) -> Descriptor {
        Descriptor(
            owning: try check("socket") {
                socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            })
    }

    private static func withAddress(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) throws(SystemError) -> Void
    ) throws(SystemError) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let capacity = MemoryLayout.size(ofValue: address.sun_path)
        var name = path
        var directory: Descriptor?
        if path.utf8.count >= capacity {
            let handle = try Descriptor.open(Files.parent(of: path), O_RDONLY | O_DIRECTORY)
            let last =
                path.utf8.lastIndex(of: UInt8(ascii: "/")).map { path[path.index(after: $0)...] } ?? path[...]
            name = "/proc/self/fd/\(handle.raw)/\(last)"
            directory = handle
        }
        guard name.utf8.count < capacity else {
            throw SystemError("socket address", path, code: ENAMETOOLONG)
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name.utf8) }
        var failure: SystemError?
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                do throws(SystemError) { try body(generic, socklen_t(MemoryLayout<sockaddr_un>.size)) } catch
                {
                    failure = error
                }
            }
        }
        _ = directory
        if let failure { throw failure }
    }
}
