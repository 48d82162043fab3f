// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import KintoCore
internal import Wire

/// What the home takes of its disk, in bytes of blocks, as it was when it was last looked at.
struct StorageSizes: Encodable, Sendable {
    let home, database, artifacts, logs, caches, repositories, workspaces: Int64
    let free, freeFiles: UInt64
    let measuredAt: String

    /// Goes through the whole home. Blocks.
    init(_ home: Home) {
        database = ["", "-wal", "-shm"].reduce(0) { $0 &+ Self.blocks(home.database + $1) }
        artifacts = Self.tree(home.artifacts)
        repositories = Self.tree(home.repositories)
        workspaces = Self.tree("\(home.path)/work")
        var (logs, caches): (Int64, Int64) = (0, 0)
        let services = "\(home.path)/services"
        for service in (try? Files.list(services)) ?? [] {
            for environment in (try? Files.list("\(services)/\(service)")) ?? [] {
                for name in (try? Files.list("\(services)/\(service)/\(environment)")) ?? [] {
                    let size = Self.tree("\(services)/\(service)/\(environment)/\(name)")
                    if name == "cache" { caches &+= size } else { logs &+= size }
                }
            }
        }
        self.logs = logs
        self.caches = caches
        self.home = database &+ artifacts &+ repositories &+ workspaces &+ logs &+ caches
        let room = Files.room(home.path)
        free = room?.bytes ?? 0
        freeFiles = room.map { min($0.files, UInt64(Int64.max)) } ?? 0
        measuredAt = Timestamp.now.rfc3339
    }

    /// Links are not followed; what goes away meanwhile counts as nothing.
    static func tree(_ path: String) -> Int64 {
        var status = stat()
        guard lstat(path, &status) == 0 else { return 0 }
        var total = Int64(status.st_blocks) &* 512
        guard status.st_mode & S_IFMT == S_IFDIR else { return total }
        for name in (try? Files.list(path)) ?? [] { total &+= tree("\(path)/\(name)") }
        return total
    }

    private static func blocks(_ path: String) -> Int64 {
        var status = stat()
        return lstat(path, &status) == 0 ? Int64(status.st_blocks) &* 512 : 0
    }
}
