// SPDX-License-Identifier: Apache-2.0
internal import CGit2
public import KintoCore

/// What stands at a path of a commit.
public enum CommittedFile: Sendable, Equatable {
    case found([UInt8])
    case missing
    case directory
    /// A symbolic link, at the path or on the way to it: never followed.
    case symlink
    case submodule
    /// Larger than the limit; its size in bytes.
    case tooLarge(Int)
}

extension GitRepository {
    /// Reads a file out of a commit, without a checkout.
    /// - Parameters:
    ///   - commit: in this repository.
    ///   - file: path from the root of the tree, parts separated by single slashes.
    ///   - limit: in bytes.
    /// - Returns: the bytes, or what stands there instead.
    /// - Throws: `commit-missing`, `object-missing` for a damaged repository.
    public func readFile(_ commit: CommitID, path file: String, limit: Int) throws(Failure) -> CommittedFile {
        var tree = try rootTree(of: commit)
        let parts = file.split(separator: "/", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            guard !part.isEmpty, let entry = try self.entry(String(part), in: tree) else { return .missing }
            let isLast = index == parts.count - 1
            switch entry.kind {
            case .link: return .symlink
            case .submodule: return .submodule
            case .directory:
                if isLast { return .directory }
                tree = entry.id
            case .file, .executable:
                guard isLast else { return .missing }
                let size = try blobSize(entry.id)
                guard size <= limit else { return .tooLarge(size) }
                return .found(try withBlob(entry.id) { Array($0) })
            case .unknown: return .missing
            }
        }
        return .missing
    }

    /// The tree of a commit.
    func rootTree(of commit: CommitID) throws(Failure) -> ObjectID {
        guard let id = try withCommit(commit, { git_commit_tree_id($0).map { ObjectID($0.pointee) } }) else {
            throw Failure(code: "object-missing", "Commit \(commit.short) has no tree.")
        }
        return id
    }

    /// All entries of a tree, in its order.
    func entries(of tree: ObjectID) throws(Failure) -> [TreeEntry] {
        try withTree(tree) { pointer in
            (0..<git_tree_entrycount(pointer)).compactMap { index in
                git_tree_entry_byindex(pointer, index).map { TreeEntry($0) }
            }
        }
    }

    /// The entry of that name; nil when there is none.
    func entry(_ name: String, in tree: ObjectID) throws(Failure) -> TreeEntry? {
        guard !name.utf8.contains(0) else { return nil }
        return try withTree(tree) { pointer in git_tree_entry_byname(pointer, name).map { TreeEntry($0) } }
    }

    /// The size of a blob without reading it, in bytes.
    func blobSize(_ id: ObjectID) throws(Failure) -> Int {
        var raw = id.raw
        var size = 0
        var kind = GIT_OBJECT_ANY
        do throws(GitError) { try git("size") { git_odb_read_header(&size, &kind, objects, &raw) } } catch {
            throw missingObject(error, id)
        }
        return size
    }

    /// Gives the bytes of a blob, valid during the call.
    func withBlob<R>(_ id: ObjectID, _ body: (UnsafeRawBufferPointer) -> R) throws(Failure) -> R {
        var raw = id.raw
        var object: OpaquePointer?
        defer { git_odb_object_free(object) }
        do throws(GitError) { try git("blob") { git_odb_read(&object, objects, &raw) } } catch {
            throw missingObject(error, id)
        }
        guard git_odb_object_type(object) == GIT_OBJECT_BLOB else {
            throw Failure(
                code: "object-missing", "Object \(id.shown) of the repository at \(path) is not a file.")
        }
        return body(
            UnsafeRawBufferPointer(start: git_odb_object_data(object), count: git_odb_object_size(object)))
    }

    private func withTree<R>(_ id: ObjectID, _ body: (OpaquePointer) -> R) throws(Failure) -> R {
        var raw = id.raw
        var pointer: OpaquePointer?
        defer { git_tree_free(pointer) }
        do throws(GitError) { try git("tree") { git_tree_lookup(&pointer, handle, &raw) } } catch {
            throw missingObject(error, id)
        }
        guard let pointer else { throw Failure(code: "git-failed", "libgit2 found no tree.") }
        return body(pointer)
    }

    private func missingObject(_ error: GitError, _ id: ObjectID) -> Failure {
        var failure = error.failure(
            "object-missing",
            "Object \(id.shown) is missing or damaged in the repository at \(path).")
        failure.hints.append(.init("See what git says of it.", command: "git -C \(path) fsck"))
        return failure
    }
}

extension ObjectID {
    /// For messages.
    fileprivate var shown: String { commitID?.short ?? "?" }
}

extension TreeEntry {
    fileprivate init(_ entry: OpaquePointer) {
        var name: [CChar] = []
        if let text = git_tree_entry_name(entry) {
            var cursor = text
            while cursor.pointee != 0 {
                name.append(cursor.pointee)
                cursor += 1
            }
        }
        name.append(0)
        let mode = git_tree_entry_filemode_raw(entry).rawValue
        let kind: Kind =
            switch mode & 0o170000 {
            case 0o100000: mode & 0o100 != 0 ? .executable : .file
            case 0o120000: .link
            case 0o040000: .directory
            case 0o160000: .submodule
            default: .unknown
            }
        let id = git_tree_entry_id(entry).map { ObjectID($0.pointee) } ?? ObjectID(git_oid())
        self.init(name: name, kind: kind, id: id)
    }
}
