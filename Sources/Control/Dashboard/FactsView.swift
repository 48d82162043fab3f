// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import KintoCore
internal import Wire

/// What things take of the machine, in words.
enum FactsView {
    /// `12 KiB`, `3.4 GiB`
    static func bytes(_ count: Int64) -> String {
        for (unit, size) in [("GiB", Int64(1 << 30)), ("MiB", 1 << 20), ("KiB", 1 << 10)] where count >= size
        {
            let value = Double(count) / Double(size)
            return value < 10 ? "\((value * 10).rounded() / 10) \(unit)" : "\(Int(value.rounded())) \(unit)"
        }
        return "\(count) B"
    }

    /// Resident memory of an instance with all that it started, in bytes; nil: it is gone. Looks at /proc.
    static func memory(_ instance: Instance) -> Int64? {
        guard instance.supervisor.isRunning else { return nil }
        let pages = ProcessTable.descendants(of: instance.supervisor.pid).compactMap {
            ProcessTable.stat($0)?.residentPages
        }
        return pages.isEmpty ? nil : Int64(pages.reduce(0, +)) * Int64(sysconf(Int32(_SC_PAGESIZE)))
    }

    /// An instance as it is now.
    struct Running: Sendable {
        let name, port, memory: String
        let restarts: Int

        var values: [String: Any] {
            [
                "name": name, "port": port, "memory": memory,
                "restarts": restarts == 0
                    ? false as Any : restarts == 1 ? "1 restart" : "\(restarts) restarts",
            ]
        }
    }

    /// - Parameter instances: of a live release. Blocks.
    static func instances(_ instances: [Instance]) -> [Running] {
        instances.map { instance in
            Running(
                name: instance.name, port: instance.port.map { "port \($0)" } ?? "no port",
                memory: memory(instance).map(bytes) ?? "not running",
                restarts: (try? SupervisorState.read(instance.statePath))?.restarts ?? instance.restarts)
        }
    }

    /// One line on the whole server: what waits, and what the disk has.
    static func server(_ sizes: StorageSizes?, _ open: [Release]) -> [String: Any] {
        let deploying = open.count { $0.status == .deploying }
        return [
            "deploying": deploying, "queued": open.count - deploying,
            "disk": sizes.map { sizes -> [String: Any] in
                [
                    "home": bytes(sizes.home), "artifacts": bytes(sizes.artifacts), "logs": bytes(sizes.logs),
                    "caches": bytes(sizes.caches), "repositories": bytes(sizes.repositories),
                    "free": bytes(Int64(clamping: sizes.free)), "measured": sizes.measuredAt,
                ]
            } ?? false as Any,
        ]
    }
}
