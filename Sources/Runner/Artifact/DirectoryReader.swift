// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Wire

/// Reads open directories entry by entry without following links.
enum DirectoryReader {
    struct Item {
        /// Ended by a NUL.
        let name: [CChar]
        let status: stat

        var kind: mode_t { status.st_mode & S_IFMT }
    }

    /// The entries of an open directory with what lstat(2) says of them, "." and ".." left out. An entry that
    /// is gone before it could be asked is left out too.
    static func items(_ directory: Descriptor, path: @autoclosure () -> String) throws(SystemError) -> [Item]
    {
        // fdopendir takes its descriptor over and moves its position: it gets one of its own.
        let raw = openat(directory.raw, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard raw >= 0 else { throw .last("open", path()) }
        guard let stream = fdopendir(raw) else {
            let error = SystemError.last("fdopendir", path())
            close(raw)
            throw error
        }
        defer { closedir(stream) }
        var items: [Item] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                if errno != 0 { throw .last("readdir", path()) }
                return items
            }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                bytes.prefix { $0 != 0 }.map { CChar(bitPattern: $0) } + [0]
            }
            if name == [46, 0] || name == [46, 46, 0] { continue }
            var status = stat()
            if fstatat(raw, name, &status, AT_SYMLINK_NOFOLLOW) != 0 {
                if errno == ENOENT { continue }
                throw .last("stat", path())
            }
            items.append(Item(name: name, status: status))
        }
    }

    /// Opens a directory below another one, never through a link.
    static func open(_ name: [CChar], in parent: Descriptor, path: @autoclosure () -> String)
        throws(SystemError)
        -> Descriptor
    {
        Descriptor(
            owning: try check("open", path()) {
                openat(parent.raw, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            })
    }

    /// The target of a link.
    static func target(_ name: [CChar], in parent: Descriptor, path: @autoclosure () -> String)
        throws(SystemError)
        -> [UInt8]
    {
        var buffer = [CChar](repeating: 0, count: 4097)
        let count = try check("readlink", path()) { readlinkat(parent.raw, name, &buffer, buffer.count) }
        return buffer[0..<count].map { UInt8(bitPattern: $0) }
    }
}

extension stat {
    /// Nanoseconds since 1970.
    var modifiedNanoseconds: Int64 { Int64(st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(st_mtim.tv_nsec) }
    var changedNanoseconds: Int64 { Int64(st_ctim.tv_sec) &* 1_000_000_000 &+ Int64(st_ctim.tv_nsec) }
}
