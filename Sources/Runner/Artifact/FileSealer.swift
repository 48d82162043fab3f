// SPDX-License-Identifier: Apache-2.0
internal import Crypto
internal import Glibc
internal import KintoCore
internal import Wire

/// Makes single files read-only and hashes them. Used by one thread, for its buffer.
final class FileSealer {
    /// A file whose holes have more bytes is refused: reading a terabyte of nothing takes minutes, and whoever copies it may
    /// fill a disk.
    static let holeLimit = 16 << 30
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)
    /// Called every few hundred kilobytes; throws when nobody waits any more.
    private let check: () throws -> Void

    init(check: @escaping () throws -> Void = {}) { self.check = check }

    deinit { buffer.deallocate() }

    /// Hashes a regular file and takes its write and set-id permissions away. A file with other names is
    /// replaced by a copy first: a build cache may hold the other name, and neither may change through the
    /// other.
    func seal(
        _ name: [CChar], in directory: Descriptor, path: [UInt8], shownAs place: @autoclosure () -> String
    ) throws -> ArtifactManifest.Entry {
        var file = try open(name, in: directory, place())
        var before = try status(file, place())
        guard before.st_mode & S_IFMT == S_IFREG else {
            throw Failure(code: "artifact-changing", "\(place()) changed while it was stored.")
        }
        guard Int(before.st_size) - Int(before.st_blocks) * 512 <= FileSealer.holeLimit else {
            throw Failure(
                code: "artifact-refused",
                "\(place()) has \(before.st_size >> 30) GiB, of which only \(before.st_blocks >> 1) KiB were written.",
                hints: [.init("leave sparse files out of build.output")])
        }
        if before.st_nlink > 1 {
            try separate(file, name, in: directory, mode: before.st_mode, place())
            file = try open(name, in: directory, place())
            before = try status(file, place())
        }
        let mode = before.st_mode & 0o555
        if before.st_mode & 0o7777 != mode { try Wire.check("chmod", place()) { fchmod(file.raw, mode) } }
        let (hash, size) = try digest(file, place())
        let after = try status(file, place())
        guard size == Int(after.st_size), after.modifiedNanoseconds == before.modifiedNanoseconds else {
            throw Failure(
                code: "artifact-changing", "\(place()) changed while it was stored.",
                hints: [.init("Something that the build started still writes to its output.")])
        }
        return .init(
            path: path, kind: .file, mode: mode, size: size, sha256: hash,
            modified: after.modifiedNanoseconds, changed: after.changedNanoseconds)
    }

    /// The SHA-256 and the number of bytes of an open file, from where it stands.
    func digest(_ file: Descriptor, _ place: @autoclosure () -> String) throws -> (String, Int) {
        var hash = SHA256()
        var size = 0
        while true {
            try check()
            let count = try Wire.check("read", place()) { read(file.raw, buffer.baseAddress, buffer.count) }
            if count == 0 { break }
            hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: buffer[0..<count]))
            size += count
        }
        return (hexadecimal(hash.finalize()), size)
    }

    /// Copies what remains of one open file into another.
    func copy(_ source: Descriptor, to target: Descriptor, _ place: @autoclosure () -> String)
        throws(SystemError)
    {
        while true {
            let count = try Wire.check("read", place()) { read(source.raw, buffer.baseAddress, buffer.count) }
            if count == 0 { return }
            var done = 0
            while done < count {
                done += try Wire.check("write", place()) {
                    write(target.raw, buffer.baseAddress.map { $0 + done }, count - done)
                }
            }
        }
    }

    private func open(_ name: [CChar], in directory: Descriptor, _ place: @autoclosure () -> String)
        throws(SystemError) -> Descriptor
    {
        Descriptor(
            owning: try Wire.check("open", place()) {
                // O_NONBLOCK: a FIFO that took the file's place would wait for a writer.
                openat(directory.raw, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
            })
    }

    private func status(_ file: Descriptor, _ place: @autoclosure () -> String) throws(SystemError) -> stat {
        var status = stat()
        try Wire.check("stat", place()) { fstat(file.raw, &status) }
        return status
    }

    private func separate(
        _ file: Descriptor, _ name: [CChar], in directory: Descriptor, mode: mode_t,
        _ place: @autoclosure () -> String
    ) throws(SystemError) {
        let temporary = ".kinto-copy-\(getpid())-\(directory.raw)"
        unlinkat(directory.raw, temporary, 0)
        let copy = Descriptor(
            owning: try Wire.check("create", place()) {
                openat(directory.raw, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
            })
        do throws(SystemError) {
            try self.copy(file, to: copy, place())
            try Wire.check("chmod", place()) { fchmod(copy.raw, mode & 0o777) }
            try Wire.check("rename", place()) { renameat(directory.raw, temporary, directory.raw, name) }
        } catch {
            unlinkat(directory.raw, temporary, 0)
            throw error
        }
    }
}
