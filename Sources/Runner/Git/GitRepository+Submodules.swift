// SPDX-License-Identifier: Apache-2.0
internal import CGit2
internal import KintoCore

/// A place of a tree where the tree of another repository belongs.
struct SubmoduleEntry: Sendable {
    let path: String
    let commit: CommitID
}

extension GitRepository {
    /// The submodules of a commit, in the order of their paths. Nothing is written.
    /// - Parameter limits: of the trees that are gone through; bytes do not count.
    /// - Throws: `submodule-refused` for a path that must not be written, `tree-too-large`, `tree-refused`.
    func submodules(of commit: CommitID, limits: TreeExtractor.Limits) throws -> [SubmoduleEntry] {
        var found: [SubmoduleEntry] = []
        var pending = [(tree: try rootTree(of: commit), prefix: "", depth: 1, isPlain: true)]
        var count = 0
        while let (tree, prefix, depth, isPlain) = pending.popLast() {
            guard depth <= limits.depth else {
                throw Failure(
                    code: "tree-refused", "The commit has directories more than \(limits.depth) deep.")
            }
            let entries = try entries(of: tree)
            count += entries.count
            guard count <= limits.entries else {
                throw Failure(
                    code: "tree-too-large",
                    "The commit has more than \(limits.entries) files and directories.")
            }
            for entry in entries where entry.kind == .directory || entry.kind == .submodule {
                let path = prefix + entry.shownName
                let name = entry.name.dropLast().map { UInt8(bitPattern: $0) }
                // Only a path that is shown as it is can be told from every other one.
                let isPlain =
                    isPlain && TreeEntryName.problem(name) == nil
                    && String(validating: name, as: UTF8.self).map { Array($0.utf8) }
                        == Array(entry.shownName.utf8)
                if entry.kind == .directory {
                    pending.append((entry.id, path + "/", depth + 1, isPlain))
                } else {
                    guard isPlain, path.first != "-", let commit = entry.id.commitID else {
                        throw SubmoduleList.refused(
                            "The path of the submodule '\(path)' is none that kinto writes.")
                    }
                    found.append(SubmoduleEntry(path: path, commit: commit))
                }
            }
        }
        return found.sorted { $0.path < $1.path }
    }

    /// What `.gitmodules` of a commit says.
    /// - Throws: `submodule-refused` when it is no file.
    func submoduleList(of commit: CommitID) throws(Failure) -> SubmoduleList {
        switch try readFile(commit, path: ".gitmodules", limit: SubmoduleList.sizeLimit) {
        case .found(let bytes): return try SubmoduleList(bytes)
        case .missing: return try SubmoduleList([])
        case .tooLarge:
            throw SubmoduleList.refused(
                "The file .gitmodules has more than \(SubmoduleList.sizeLimit) bytes.")
        case .directory, .symlink, .submodule: throw SubmoduleList.refused(".gitmodules is no plain file.")
        }
    }
}
