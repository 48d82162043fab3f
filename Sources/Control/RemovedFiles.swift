// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import KintoCore
internal import Wire

/// Removes the files of a service or an environment: first all of them are moved away, so that the name is free at once, however
/// many they are. Each step may be done already: it is begun again after a crash.
struct RemovedFiles: Sendable {
    let home: Home
    let removal: Removal

    private var folder: String { "\(home.path)/removed" }
    private var place: String { "\(folder)/\(removal.id)" }

    /// Relative to the home.
    private var paths: [String] {
        let (service, artifacts) = (removal.service, removal.artifacts.map { "artifacts/\($0)" })
        if let environment = removal.environment {
            let target = Target(service: service, environment: environment)
            return ["services/\(target)", "work/\(target)"] + artifacts
        }
        let repository = removal.localRepository == nil ? ["repos/\(service).git"] : []
        return repository + [
            "repos/\(service).submodules", "repos/\(service).look", "services/\(service)", "work/\(service)",
        ]
            + artifacts
    }

    func move() throws {
        if let path = removal.localRepository { HookScripts.remove(from: path) }
        try Files.makeDirectories(place)
        for (number, path) in paths.enumerated() {
            let source = "\(home.path)/\(path)"
            if rename(source, "\(place)/\(number)") == 0 || errno == ENOENT { continue }
            // On another file system, or in parts moved before.
            try Files.removeTree(source)
        }
        for old in removal.formerNames { try RenamedFiles.forget(home, old) }
        try Files.synchronizeDirectory(place)
    }

    func clear() throws { try Files.removeTree(place) }
}
