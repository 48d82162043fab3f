// SPDX-License-Identifier: Apache-2.0
internal import Glibc
public import Wire

/// The files `NAME.lock` with which git keeps other writers away. Git does not look whether who made one still runs
/// (git's lockfile.h): after a loss of power, or in a copy, one of them refuses every later push.
public enum RepositoryLocks {
    /// Where git writes with a lock besides `refs` (gitrepository-layout(5)).
    private static let places = [
        "", "/objects", "/objects/pack", "/objects/info", "/objects/info/commit-graphs",
    ]
    /// Not git's: who holds it is asked of the kernel.
    static let ofFetches = "kinto-fetch.lock"
    private static let most = 100_000

    /// Paths of those in a bare repository, but for those of pins, which their writer takes away by itself. Any number of
    /// threads may ask.
    /// - Parameter end: only those made before it; nil: all.
    public static func list(_ repository: String, madeBefore end: Timestamp? = nil) -> [String] {
        var found: [String] = []
        func look(in directory: String, below: (String) -> Void) {
            for name in (try? Files.list(directory)) ?? [] {
                let path = "\(directory)/\(name)"
                var status = stat()
                guard lstat(path, &status) == 0 else { continue }
                switch status.st_mode & S_IFMT {
                case S_IFDIR: below(path)
                case S_IFREG where name.hasSuffix(".lock") && name != ofFetches:
                    let time = Timestamp(milliseconds: Int64(status.st_mtim.tv_sec) &* 1000)
                    if end.map({ time < $0 }) != false { found.append(path) }
                default: break
                }
            }
        }
        for place in places { look(in: repository + place) { _ in } }
        var pending = ["\(repository)/refs"]
        var seen = 0
        while let directory = pending.popLast(), seen < most {
            seen += 1
            look(in: directory) { if $0 != "\(repository)/refs/kinto" { pending.append($0) } }
        }
        return found
    }

    /// Removes them; what cannot be removed stays.
    /// - Parameter end: as for ``list(_:madeBefore:)``. Nil only when nobody writes to the repository.
    /// - Returns: those that were there.
    @discardableResult
    public static func remove(from repository: String, madeBefore end: Timestamp? = nil) -> [String] {
        list(repository, madeBefore: end).filter { unlink($0) == 0 }
    }
}
