// SPDX-License-Identifier: Apache-2.0
public import KintoCore

extension GitRepository {
    /// What a commit has below a directory, as much as is looked at for warnings; what is near comes first. Nothing is written.
    /// - Parameter root: empty or `.` for the whole tree.
    /// - Throws: `commit-missing`, `object-missing` for a damaged repository.
    public func sourceTree(
        _ commit: CommitID, root: String, limits: SourceTree.Limits = .init()
    ) throws(Failure) -> SourceTree {
        var tree = SourceTree(limits: limits)
        var top = try rootTree(of: commit)
        for part in root.split(separator: "/") where part != "." {
            guard let entry = try entry(String(part), in: top), entry.kind == .directory else { return tree }
            top = entry.id
        }
        var level = [(id: top, prefix: "")]
        while !level.isEmpty {
            var next: [(id: ObjectID, prefix: String)] = []
            for directory in level {
                guard tree.hasRoom else {
                    tree.cut()
                    return tree
                }
                for entry in try entries(of: directory.id) {
                    // A name that is none takes no part: it could be taken for another one.
                    guard let kind = SourceTree.Kind(entry.kind),
                        let name = String(
                            validating: entry.name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self),
                        !name.contains("/")
                    else {
                        tree.cut()
                        continue
                    }
                    let path = directory.prefix + name
                    if tree.add(path, kind) { next.append((entry.id, path + "/")) }
                    guard kind == .file || kind == .executable, tree.hasRoom, SourceTree.isSource(path) else {
                        continue
                    }
                    if try tree.wants(size: { () throws(Failure) in try blobSize(entry.id) }) {
                        tree.take(path, try withBlob(entry.id) { Array($0) })
                    }
                }
            }
            level = next
        }
        return tree
    }

    /// One line about the files of other tools in a commit without settings; nil: there are none.
    func foreignFiles(_ commit: CommitID, at place: String) throws(Failure) -> Warning? {
        func read(_ path: String) throws(Failure) -> [UInt8]? {
            switch try readFile(commit, path: place + path, limit: ForeignFiles.sizeLimit) {
            case .found(let bytes): bytes
            case .tooLarge: []
            default: nil
            }
        }
        do { return try ForeignFiles.warning(read) } catch {
            throw error as? Failure ?? Failure(code: "git-failed", "\(error)")
        }
    }
}

extension SourceTree.Kind {
    fileprivate init?(_ kind: TreeEntry.Kind) {
        switch kind {
        case .file: self = .file
        case .executable: self = .executable
        case .link: self = .link
        case .directory: self = .directory
        case .submodule: self = .submodule
        case .unknown: return nil
        }
    }
}
