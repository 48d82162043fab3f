// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Logging
internal import Wire

/// Files of services and environments that are not on record any more.
extension Actions {
    /// - Parameter end: stops all of it and takes it off the record; nil: something came between. What is pushed until then
    ///   is of it, and ends, too.
    func remove(_ end: () async throws -> Removal?) async throws {
        while true {
            if let removal = try await end() { return try await remove(removal) }
            // It waits for what it finds; this is for what it cannot find, so that nothing spins.
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// - Parameter removal: what is not on record any more.
    func remove(_ removal: Removal) async throws {
        Fault.removed.pass()
        let files = RemovedFiles(home: home, removal: removal)
        try await Blocking.run { try files.move() }
        Fault.removedFiles.pass()
        try await Blocking.run { try files.clear() }
        try await store.finish(removal)
    }

    /// Moves away what an earlier server left of services and environments that were removed.
    /// - Returns: what is left to do for each, which takes long if there is much of it.
    func takeOverRemovals() async -> [Removal] {
        var moved: [Removal] = []
        do {
            for removal in try await store.openRemovals() {
                do {
                    // It could not be moved, and the name is another one's now: so may be what lies there.
                    if try await !isTaken(removal) {
                        try await Blocking.run { [home] in
                            try RemovedFiles(home: home, removal: removal).move()
                        }
                    }
                    moved.append(removal)
                } catch { told(error) }
            }
        } catch { told(error) }
        return moved
    }

    private func isTaken(_ removal: Removal) async throws -> Bool {
        guard let environment = removal.environment else {
            return try await store.service(removal.service) != nil
        }
        return try await store.environment(Target(service: removal.service, environment: environment)) != nil
    }

    private func told(_ error: any Error) {
        logger.error("files of what was removed are left", metadata: ["error": "\(error)"])
    }

    /// - Parameter removals: those whose files were moved away.
    func clear(_ removals: [Removal]) async {
        for removal in removals {
            do {
                try await Blocking.run { [home] in try RemovedFiles(home: home, removal: removal).clear() }
                try await store.finish(removal)
            } catch { told(error) }
        }
    }
}
