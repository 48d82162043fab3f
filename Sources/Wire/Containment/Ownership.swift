// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc

/// Who owns the files that builds and services work with, and who may come to them.
public enum Ownership {
    /// Gives a tree to a user, links themselves and not what they point to.
    /// - Parameter previous: the only user whose files are given; nil: all are.
    /// - Throws: EPERM with the path of a file of somebody else's, before it is given: a second name for a file that the
    ///   one who put it there may not read.
    public static func give(_ path: String, to user: Confinement.User, from previous: UInt32? = nil)
        throws(SystemError)
    {
        try give(
            at: AT_FDCWD, name: path.utf8CString.map(\.self), path: path, to: user, from: previous, depth: 0)
    }

    /// The same for an open directory.
    /// - Parameter shown: its path, for errors.
    public static func give(
        _ directory: Descriptor, shown: String, to user: Confinement.User, from previous: UInt32? = nil
    ) throws(SystemError) {
        try give(
            at: directory.raw, name: ".".utf8CString.map(\.self), path: shown, to: user, from: previous,
            depth: 0)
    }

    private static func give(
        at parent: Int32, name: [CChar], path: String, to user: Confinement.User, from previous: UInt32?,
        depth: Int
    ) throws(SystemError) {
        guard depth < 400 else { throw SystemError("chown", path, code: ELOOP) }
        let raw = kinto_open_handle(parent, name)
        guard raw >= 0 else { throw .last("open", path) }
        let file = Descriptor(owning: raw)
        var status = stat()
        try check("stat", path) { fstat(raw, &status) }
        let isGiven = status.st_uid == user.user && status.st_gid == user.group
        if let previous, status.st_uid != previous, status.st_uid != user.user {
            throw SystemError("chown", path, code: EPERM)
        }
        if !isGiven {
            try check("chown", path) { kinto_chown(file.raw, user.user, user.group) }
        }
        guard status.st_mode & S_IFMT == S_IFDIR else { return }
        let reading = openat(raw, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard reading >= 0 else { throw .last("open", path) }
        guard let directory = fdopendir(reading) else {
            let error = SystemError.last("fdopendir", path)
            close(reading)
            throw error
        }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            // Bytes: a name need not be text.
            let child = withUnsafeBytes(of: &entry.pointee.d_name) { $0.prefix { $0 != 0 }.map(\.self) }
            let shown = String(decoding: child, as: UTF8.self)
            if shown == "." || shown == ".." { continue }
            try give(
                at: raw, name: child.map { CChar(bitPattern: $0) } + [0], path: "\(path)/\(shown)", to: user,
                from: previous, depth: depth + 1)
        }
    }

    /// Lets users go through a directory of ours to what they know the name of in it (acl(5)); nobody else, and they can
    /// neither list nor change it.
    public static func letThrough(_ directory: String, _ users: Set<UInt32>) throws(SystemError) {
        let list = users.sorted()
        try check("setfacl", directory) { kinto_let_through(directory, list, Int32(list.count)) }
    }
}
