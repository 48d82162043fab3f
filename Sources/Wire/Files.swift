// SPDX-License-Identifier: Apache-2.0
public import Glibc

/// The few file operations that several processes of kinto share. All paths are plain strings, as the kernel
/// takes them; every error names its path.
public enum Files {
    /// The whole file.
    /// - Throws: ENOENT when it is absent, EFBIG when it is larger than `limit` bytes.
    public static func read(_ path: String, limit: Int = 64 << 20) throws(SystemError) -> [UInt8] {
        let file = try Descriptor.open(path, O_RDONLY)
        do { return try file.readAll(limit: limit) } catch {
            throw SystemError(error.operation, path, code: error.code)
        }
    }

    /// Its last bytes, `size` at most; without reading what is before them.
    public static func tail(_ path: String, _ size: Int) throws(SystemError) -> [UInt8] {
        let file = try Descriptor.open(path, O_RDONLY)
        var status = stat()
        try check("stat", path) { fstat(file.raw, &status) }
        let wanted = min(size, max(0, Int(status.st_size)))
        var bytes = [UInt8](repeating: 0, count: wanted)
        var done = 0
        while done < wanted {
            let count = bytes.withUnsafeMutableBytes {
                pread(
                    file.raw, $0.baseAddress?.advanced(by: done), wanted - done,
                    status.st_size - off_t(wanted - done))
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .last("read", path) }
            // Cut short meanwhile.
            if count == 0 { break }
            done += count
        }
        return Array(bytes[..<done])
    }

    /// Replaces a file whole or not at all: temporary file, fsync(2), rename(2) and, when `durable`, fsync of the
    /// directory, so that it survives a power cut.
    public static func replace(
        _ path: String, with bytes: some Collection<UInt8>, mode: mode_t = 0o600, durable: Bool = true
    ) throws(SystemError) {
        let temporary = "\(path).new-\(getpid())"
        do {
            let file = try Descriptor.open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: mode)
            try file.writeAll(bytes)
            if durable { try check("fsync", temporary) { fsync(file.raw) } }
            try check("rename", path) { rename(temporary, path) }
            if durable { try synchronizeDirectory(parent(of: path)) }
        } catch {
            unlink(temporary)
            throw error.subject.isEmpty ? SystemError(error.operation, path, code: error.code) : error
        }
    }

    /// fsync(2) of a directory: makes renames in it durable.
    public static func synchronizeDirectory(_ path: String) throws(SystemError) {
        let directory = try Descriptor.open(path, O_RDONLY | O_DIRECTORY)
        try check("fsync", path) { fsync(directory.raw) }
    }

    /// mkdir -p. The directories made get `mode`.
    public static func makeDirectories(_ path: String, mode: mode_t = 0o700) throws(SystemError) {
        if mkdir(path, mode) == 0 { return }
        switch errno {
        case EEXIST:
            guard isDirectory(path) else { throw SystemError("mkdir", path, code: ENOTDIR) }
        case ENOENT where parent(of: path) != path:
            try makeDirectories(parent(of: path), mode: mode)
            if mkdir(path, mode) != 0, errno != EEXIST { throw .last("mkdir", path) }
        default: throw .last("mkdir", path)
        }
    }

    /// Bytes and files that can still be made on the file system of a path (statvfs(3)); nil when it is not there.
    public static func room(_ path: String) -> (bytes: UInt64, files: UInt64)? {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return nil }
        let blocks = UInt64(status.f_bavail)
        let (bytes, overflow) = blocks.multipliedReportingOverflow(by: UInt64(status.f_frsize))
        // Some file systems do not count files.
        return (overflow ? .max : bytes, status.f_files == 0 ? .max : UInt64(status.f_favail))
    }

    public static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    public static func exists(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0
    }

    /// The part before the last slash: "/" for a path directly below the root, "." for a bare name.
    public static func parent(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.utf8.startIndex ? "/" : String(path[..<slash])
    }

    /// The entries of a directory, without "." and "..", in no order.
    public static func list(_ path: String) throws(SystemError) -> [String] {
        guard let directory = opendir(path) else { throw .last("opendir", path) }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}
