// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
public import KintoCore
internal import Wire

/// A work tree, read for warnings as a commit is: for `kinto check`.
public enum SourceDirectory {
    /// What is near comes first; links are not followed, and only plain files are opened. What cannot be read is passed over.
    public static func read(_ path: String, limits: SourceTree.Limits = .init()) -> SourceTree {
        var tree = SourceTree(limits: limits)
        var level = [(path: path, prefix: "")]
        while !level.isEmpty {
            var next: [(path: String, prefix: String)] = []
            for directory in level {
                guard tree.hasRoom else {
                    tree.cut()
                    return tree
                }
                guard let names = try? Files.list(directory.path) else {
                    tree.cut()
                    continue
                }
                for name in names.sorted() where name != ".git" {
                    let (place, shown) = ("\(directory.path)/\(name)", directory.prefix + name)
                    var status = stat()
                    guard lstat(place, &status) == 0, let kind = kind(status) else { continue }
                    if tree.add(shown, kind) { next.append((place, shown + "/")) }
                    guard kind == .file || kind == .executable, tree.hasRoom, SourceTree.isSource(shown),
                        tree.wants(size: { Int(status.st_size) }),
                        let bytes = content(place, limits.fileBytes)
                    else { continue }
                    tree.take(shown, bytes)
                }
            }
            level = next
        }
        return tree
    }

    /// nil: it is no plain file, or larger.
    public static func content(_ path: String, _ limit: Int) -> [UInt8]? {
        guard let file = try? Descriptor.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK) else { return nil }
        var status = stat()
        guard fstat(file.raw, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return try? file.readAll(limit: limit)
    }

    private static func kind(_ status: stat) -> SourceTree.Kind? {
        switch status.st_mode & S_IFMT {
        case S_IFREG: status.st_mode & 0o100 != 0 ? .executable : .file
        case S_IFDIR: .directory
        case S_IFLNK: .link
        default: nil
        }
    }
}
