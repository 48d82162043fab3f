// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import KintoCore
internal import Wire

/// Writes files out of one object database into open directories. Used by one thread.
struct BlobWriter {
    private let state: CheckoutState
    private var repositories: [CheckoutSource: GitRepository] = [:]

    init(state: CheckoutState) { self.state = state }

    mutating func write(_ batch: CheckoutBatch) throws {
        var notices = CheckoutNotices()
        let repository = try repository(batch.source)
        for file in batch.files {
            try state.check()
            try write(file, batch, from: repository, notices: &notices)
            state.countFile()
        }
        state.note(notices)
    }

    private mutating func repository(_ source: CheckoutSource) throws(Failure) -> GitRepository {
        if let open = repositories[source] { return open }
        // Each holds descriptors, and batches of one come one after another.
        if repositories.count >= 8 { repositories.removeAll() }
        let opened = try GitRepository(opening: source.repository, trust: source.trust)
        repositories[source] = opened
        return opened
    }

    private func write(
        _ file: CheckoutBatch.File, _ batch: CheckoutBatch, from repository: GitRepository,
        notices: inout CheckoutNotices
    ) throws {
        // Before the contents take memory: a few bytes of a pack can stand for gigabytes.
        let size = try repository.blobSize(file.id)
        try state.countBytes(size)
        let path = { batch.prefix + shown(file.name.dropLast().map { UInt8(bitPattern: $0) }) }
        guard size <= state.limits.fileBytes else {
            throw Failure(
                code: "tree-too-large",
                "The commit's file '\(path())' has \(size) bytes; at most \(state.limits.fileBytes) are taken (limit "
                    + "file-bytes).",
                hints: [.init("allow more", command: "kinto serve --fetch-limit file-bytes=…")])
        }
        var failed: SystemError?
        try repository.withBlob(file.id) { bytes in
            do throws(SystemError) {
                if file.kind == .link {
                    try link(bytes, file, batch)
                } else {
                    try create(bytes, file, batch)
                    if CheckoutNotices.isPointer(bytes) { notices.addPointer(path()) }
                    if BlobWriter.isAttributes(file.name), CheckoutNotices.changesFiles(bytes) {
                        notices.addAttributes(path())
                    }
                }
            } catch { failed = error }
        }
        if let failed {
            throw BlobWriter.failure(SystemError(failed.operation, path(), code: failed.code), state: state)
        }
    }

    private func create(
        _ bytes: UnsafeRawBufferPointer, _ file: CheckoutBatch.File, _ batch: CheckoutBatch
    ) throws(SystemError) {
        let mode: mode_t = file.kind == .executable ? 0o755 : 0o644
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        let raw = try check("create") { openat(batch.directory.raw, file.name, flags, mode) }
        defer { close(raw) }
        try BlobWriter.setMode(raw, mode)
        var rest = bytes
        while let start = rest.baseAddress, !rest.isEmpty {
            let count = try check("write") { Glibc.write(raw, start, rest.count) }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    private func link(
        _ bytes: UnsafeRawBufferPointer, _ file: CheckoutBatch.File, _ batch: CheckoutBatch
    ) throws(SystemError) {
        guard !bytes.isEmpty, !bytes.contains(0), bytes.count < 4096 else {
            throw SystemError("symlink", code: EINVAL)
        }
        let target = bytes.map { CChar(bitPattern: $0) } + [0]
        try check("symlink") { symlinkat(target, batch.directory.raw, file.name) }
    }

    /// EEXIST in a directory that was made just now means that the tree has the name twice.
    static func failure(_ error: SystemError, state: CheckoutState) -> Failure {
        switch error.code {
        case EEXIST:
            Failure(code: "tree-refused", "The commit has '\(error.subject)' twice.")
        case EINVAL where error.operation == "symlink":
            Failure(
                code: "tree-refused", "The commit has a link without a usable target: '\(error.subject)'.")
        default:
            SystemError(error.operation, "\(state.destination)/\(error.subject)", code: error.code)
                .failure("The checkout")
        }
    }

    private static let attributesName: [CChar] = ".gitattributes".utf8.map { CChar(bitPattern: $0) } + [0]
    private static func isAttributes(_ name: [CChar]) -> Bool { name == attributesName }

    /// The umask may take away from the modes that git means, and other threads may change it meanwhile: the
    /// file itself is asked, which costs little, and set right when needed.
    static func setMode(_ raw: Int32, _ mode: mode_t) throws(SystemError) {
        var status = stat()
        try check("stat") { fstat(raw, &status) }
        if status.st_mode & 0o7777 != mode { try check("chmod") { fchmod(raw, mode) } }
    }
}
