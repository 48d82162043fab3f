// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Wire

/// Copies a tree to another file system: files, links and directories, never through a link. Sockets, FIFOs
/// and devices are left out and named.
struct TreeCopy {
    private let files = FileSealer()
    private let cancellation: Cancellation
    private(set) var leftOut: [String] = []

    init(cancellation: Cancellation) { self.cancellation = cancellation }

    /// Copies `source` to `target`, which must not exist.
    mutating func copy(_ source: String, to target: String) throws {
        let from = try Descriptor.open(source, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        try check("mkdir", target) { mkdir(target, 0o755) }
        let to = try Descriptor.open(target, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        try copy(from, to: to, path: "", top: target, depth: 0)
    }

    private mutating func copy(_ from: Descriptor, to: Descriptor, path: String, top: String, depth: Int)
        throws
    {
        guard depth < 512 else { throw SystemError("copy", "\(top)/\(path)", code: ENAMETOOLONG) }
        for item in try DirectoryReader.items(from, path: path) {
            try cancellation.check()
            let shownName = path + shown(item.name.dropLast().map { UInt8(bitPattern: $0) })
            let place = "\(top)/\(shownName)"
            switch item.kind {
            case S_IFREG:
                let source = Descriptor(
                    owning: try check("open", place) {
                        openat(from.raw, item.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
                    })
                let target = Descriptor(
                    owning: try check("create", place) {
                        openat(to.raw, item.name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
                    })
                try files.copy(source, to: target, place)
                try check("chmod", place) { fchmod(target.raw, item.status.st_mode & 0o777) }
            case S_IFDIR:
                try check("mkdir", place) { mkdirat(to.raw, item.name, 0o700) }
                let inner = try DirectoryReader.open(item.name, in: to, path: place)
                try copy(
                    DirectoryReader.open(item.name, in: from, path: place), to: inner, path: shownName + "/",
                    top: top, depth: depth + 1)
                try check("chmod", place) { fchmod(inner.raw, item.status.st_mode & 0o777) }
            case S_IFLNK:
                let text = try DirectoryReader.target(item.name, in: from, path: place)
                let target = text.map { CChar(bitPattern: $0) } + [0]
                try check("symlink", place) { symlinkat(target, to.raw, item.name) }
            default: leftOut.append(shownName)
            }
        }
    }
}
