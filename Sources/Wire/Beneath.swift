// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc

/// A directory whose contents somebody else made: names in it are followed only as far as they stay within it, whatever
/// links there are.
public struct Beneath: Sendable {
    public let directory: Descriptor

    public init(_ path: String) throws(SystemError) {
        directory = try Descriptor.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    }

    /// Opens a directory in it.
    /// - Throws: EXDEV when the path leads out of it, ENOENT or ENOTDIR when there is no such directory.
    public func open(_ path: String) throws(SystemError) -> Descriptor {
        let raw = kinto_open_beneath(directory.raw, path, O_RDONLY | O_DIRECTORY)
        if raw >= 0 { return Descriptor(owning: raw) }
        guard errno == ENOSYS || errno == EPERM else { throw .last("open", path) }
        // A kernel before 5.6, or one that forbids the call: then no links at all.
        var current = directory
        for part in path.split(separator: "/") where part != "." {
            guard part != ".." else { throw SystemError("open", path, code: EXDEV) }
            let parent = current
            current = Descriptor(
                owning: try check("open", path) {
                    openat(parent.raw, String(part), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                })
        }
        return current
    }

    /// Opens a regular file in it for reading.
    /// - Throws: as `open`; EINVAL when it is no regular file.
    public func file(_ path: String) throws(SystemError) -> Descriptor {
        var raw = kinto_open_beneath(directory.raw, path, O_RDONLY | O_NONBLOCK)
        if raw < 0, errno == ENOSYS || errno == EPERM {
            let parts = path.split(separator: "/")
            guard let name = parts.last, name != ".." else { throw SystemError("open", path, code: EXDEV) }
            let parent = try open(parts.count > 1 ? parts.dropLast().joined(separator: "/") : ".")
            raw = openat(parent.raw, String(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        }
        guard raw >= 0 else { throw .last("open", path) }
        let file = Descriptor(owning: raw)
        var status = stat()
        try check("stat", path) { fstat(raw, &status) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw SystemError("open", path, code: EINVAL) }
        return file
    }

    /// The same, making the directories that are not there.
    /// - Parameter owner: of those that are made; nil: this process's.
    public func make(_ path: String, owner: Confinement.User? = nil) throws(SystemError) -> Descriptor {
        var made = ""
        var current = try open(".")
        for part in path.split(separator: "/") where part != "." {
            made += made.isEmpty ? String(part) : "/\(part)"
            let parent = current
            if mkdirat(parent.raw, String(part), 0o755) == 0 {
                if let owner {
                    try check("chown", made) {
                        fchownat(
                            parent.raw, String(part), owner.user, owner.group, Int32(AT_SYMLINK_NOFOLLOW))
                    }
                }
            } else if errno != EEXIST {
                throw .last("mkdir", made)
            }
            current = try open(made)
        }
        return current
    }

    /// The path of a directory in it as it is without links.
    public func path(_ path: String) throws(SystemError) -> String {
        let found = try open(path)
        var buffer = [UInt8](repeating: 0, count: 4096)
        let length = try check("readlink", path) {
            buffer.withUnsafeMutableBytes { bytes in
                bytes.bindMemory(to: CChar.self).baseAddress.map {
                    readlink("/proc/self/fd/\(found.raw)", $0, bytes.count)
                } ?? -1
            }
        }
        return String(decoding: buffer[0..<length], as: UTF8.self)
    }
}
