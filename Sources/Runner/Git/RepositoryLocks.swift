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

    /// Paths of those in a bare repository, but for those of pins: the server may be making one for another environment now,
    /// and takes away by itself what is left of them. Any number of threads may ask.
    /// - Parameter end: only those made before it; nil: all.
    public static func list(_ repository: String, madeBefore end: Timestamp? = nil) -> [String] {
        var found: [String] = []
        func look(at path: String) {
            var status = stat()
            guard path.hasSuffix(".lock"), !path.hasSuffix("/\(ofFetches)"), lstat(path, &status) == 0,
                status.st_mode & S_IFMT == S_IFREG
            else { return }
            if let end, Timestamp(milliseconds: Int64(status.st_mtim.tv_sec) &* 1000) >= end { return }
            found.append(path)
        }
        for directory in places.map({ repository + $0 }) {
            for name in (try? Files.list(directory)) ?? [] { look(at: "\(directory)/\(name)") }
        }
        var pending = ["\(repository)/refs"]
        var seen = 0
        while let directory = pending.popLast(), seen < most {
            seen += 1
            for path in ((try? Files.list(directory)) ?? []).map({ "\(directory)/\($0)" }) {
                var status = stat()
                // No link is followed: one may lead out of the repository.
                guard path != "\(repository)/refs/kinto", lstat(path, &status) == 0 else { continue }
                if status.st_mode & S_IFMT == S_IFDIR { pending.append(path) } else { look(at: path) }
            }
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
