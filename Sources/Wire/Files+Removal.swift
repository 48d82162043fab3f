// SPDX-License-Identifier: Apache-2.0
internal import Glibc

extension Files {
    /// rm -rf: removes what is there, links themselves and not what they point to, whatever bytes their names are of. Directories
    /// without write permission are opened up first. Absent: nothing to do.
    public static func removeTree(_ path: String) throws(SystemError) {
        guard let name = strdup(path) else { throw .last("strdup", path) }
        defer { free(name) }
        var removal = TreeRemoval()
        try removal.remove(at: AT_FDCWD, name, path: path, depth: 0)
    }
}

/// Whoever made the tree may have nested its directories as deep as the disk lets him: each that is open costs a descriptor, so
/// deeper ones are moved up and have their turn later.
private struct TreeRemoval {
    private static let deepest = 32

    /// Of the tree itself.
    private var top: Int32 = -1
    private var moved = 0

    mutating func remove(
        at parent: Int32, _ name: UnsafePointer<CChar>, path: @autoclosure () -> String, depth: Int
    ) throws(SystemError) {
        if unlinkat(parent, name, 0) == 0 || errno == ENOENT { return }
        guard errno == EISDIR || errno == EPERM || errno == EACCES else { throw .last("unlink", path()) }
        var raw = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        if raw < 0, errno == EACCES, fchmodat(parent, name, 0o700, 0) == 0 {
            raw = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        }
        if raw < 0 {
            if errno == ENOENT { return }
            throw .last("open", path())
        }
        fchmod(raw, 0o700)
        guard let directory = fdopendir(raw) else {
            let error = SystemError.last("fdopendir", path())
            close(raw)
            throw error
        }
        defer { closedir(directory) }
        if depth == 0 { top = raw }
        if depth == TreeRemoval.deepest {
            try moveUp(directory, raw, path())
        } else {
            var before = moved
            repeat {
                before = moved
                try entries(directory) { (child) throws(SystemError) in
                    try remove(
                        at: raw, child, path: "\(path())/\(String(cString: child))", depth: depth + 1)
                }
                rewinddir(directory)
                // What was moved up came after what was read.
            } while depth == 0 && moved != before
        }
        if unlinkat(parent, name, AT_REMOVEDIR) != 0, errno != ENOENT { throw .last("rmdir", path()) }
    }

    /// Files are removed at once.
    private mutating func moveUp(
        _ directory: OpaquePointer, _ raw: Int32, _ path: @autoclosure () -> String
    ) throws(SystemError) {
        try entries(directory) { (child) throws(SystemError) in
            if unlinkat(raw, child, 0) == 0 || errno == ENOENT { return }
            // Its own entry for what is above it is written.
            fchmodat(raw, child, 0o700, 0)
            while true {
                moved += 1
                if renameat(raw, child, top, ".kinto-deep-\(moved)") == 0 { return }
                guard [EEXIST, ENOTEMPTY, ENOTDIR].contains(errno) else {
                    throw .last("rename", "\(path())/\(String(cString: child))")
                }
            }
        }
    }

    /// All but "." and "..".
    private func entries(
        _ directory: OpaquePointer, _ body: (UnsafePointer<CChar>) throws(SystemError) -> Void
    ) throws(SystemError) {
        while let entry = readdir(directory) {
            guard let offset = MemoryLayout<dirent>.offset(of: \.d_name) else { return }
            let name = (UnsafeRawPointer(entry) + offset).assumingMemoryBound(to: CChar.self)
            if strcmp(name, ".") != 0, strcmp(name, "..") != 0 { try body(name) }
        }
    }
}
