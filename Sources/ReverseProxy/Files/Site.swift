// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import Wire

/// The files of one release, as its index lists them. Any thread may ask.
final class Site: Sendable {
    enum Answer: Sendable {
        case file(Int, fields: [UInt8])
        case moved([UInt8])
    }

    let files: [SiteIndex.File]
    let rules: [SiteRule]
    private let answers: [[UInt8]: Answer]
    /// The directory that all sources are below.
    private let root: Descriptor

    /// Reads an index.
    /// - Throws: `SystemError`, `WireError`.
    init(_ path: String) throws {
        let index = try SiteIndex(Fields(decoding: Files.read(path, limit: 512 << 20)))
        root = try Descriptor.open(
            Files.parent(of: Files.parent(of: path)), O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        files = index.files
        rules = index.rules.map(SiteRule.init)
        var answers: [[UInt8]: Answer] = [:]
        answers.reserveCapacity(index.answers.count)
        for (path, answer) in index.answers {
            answers[Array(path.utf8)] =
                switch answer {
                case .file(let number, let fields): .file(number, fields: Array(fields.utf8))
                case .moved(let to): .moved(Array(to.utf8))
                }
        }
        self.answers = answers
    }

    /// - Parameter path: decoded.
    subscript(path: [UInt8]) -> Answer? { answers[path] }

    /// What custom and default fields say of a file that is not asked for by its own path.
    func file(at path: [UInt8]) -> (number: Int, fields: [UInt8])? {
        guard case .file(let number, let fields)? = answers[path] else { return nil }
        return (number, fields)
    }

    /// Opens a file of the index; nil when it is not there any more, or is not what it was.
    func open(_ source: String, size: Int) -> Descriptor? {
        var raw = kinto_open_beneath(root.raw, source, O_RDONLY | O_NONBLOCK)
        if raw < 0, errno == ENOSYS || errno == EPERM {
            // A kernel before 5.6; there were no links when the index was made.
            raw = openat(root.raw, source, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        }
        guard raw >= 0 else { return nil }
        let file = Descriptor(owning: raw)
        var status = stat()
        guard fstat(raw, &status) == 0, status.st_mode & S_IFMT == S_IFREG, Int(status.st_size) == size
        else { return nil }
        return file
    }
}
