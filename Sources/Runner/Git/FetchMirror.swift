// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import KintoCore
internal import Wire

/// The repository that a fetch writes to: one writer at a time, and free of what a killed one left.
struct FetchMirror {
    private let lock: Descriptor

    /// Makes the repository when it is not there, takes its lock, and sweeps it.
    /// - Throws: `fetch-busy` while another fetch writes to it.
    init(_ path: String) throws(Failure) {
        if !Files.exists("\(path)/HEAD") { try GitRepository.createBare(path) }
        guard let lock = try FetchMirror.lock(path) else {
            throw Failure(code: "fetch-busy", "Another fetch into \(path) is running.")
        }
        self.lock = lock
        FetchMirror.clean(path)
    }

    /// Removes what a killed fetch left behind, unless another one runs.
    static func sweep(_ path: String) {
        guard let lock = try? lock(path) else { return }
        clean(path)
        withExtendedLifetime(lock) {}
    }

    /// nil when someone else holds it. The kernel lets it go with its holder.
    private static func lock(_ path: String) throws(Failure) -> Descriptor? {
        do throws(SystemError) {
            let file = try Descriptor.open(
                "\(path)/\(RepositoryLocks.ofFetches)", O_RDWR | O_CREAT | O_NOFOLLOW)
            if flock(file.raw, LOCK_EX | LOCK_NB) == 0 { return file }
            if errno == EWOULDBLOCK { return nil }
            throw .last("flock", path)
        } catch { throw error.failure("Fetching") }
    }

    /// Half packs, and locks, which would stop every later fetch.
    private static func clean(_ path: String) {
        let packs = "\(path)/objects/pack"
        for name in (try? Files.list(packs)) ?? [] where name.hasPrefix("pack_git2_") {
            unlink("\(packs)/\(name)")
        }
        RepositoryLocks.remove(from: path)
    }
}
