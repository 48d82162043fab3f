// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Runner
internal import Wire

/// Files that a server that died was about to remove, or about to record: checkouts of releases that are over, artifacts
/// that no release has.
struct Leftovers: Sendable {
    let home: Home
    let store: Store
    let artifacts: ArtifactStore

    /// Removes them, also while deploys go on: what is there is listed before the records are read, so what comes later is
    /// not met. What cannot be removed is left.
    func remove() async throws {
        let checkouts = try await Blocking.run { self.checkouts() }
        let names = try await Blocking.run { Set((try? Files.list(artifacts.root)) ?? []) }
        let open = try await store.openReleases()
        let busy = Set(open.map { home.workspace($0.target, $0.number) })
        try await Blocking.run {
            for path in checkouts where !busy.contains(where: { path == $0 || path.hasPrefix("\($0).") }) {
                try? Files.removeTree(path)
            }
        }
        guard open.isEmpty else { return }
        // A release that has begun meanwhile has stored under a name that was not there.
        let known = Set(try await store.artifactsOnRecord().keys)
        _ = try await Blocking.run { try artifacts.sweepUnpublished(known: known, among: names) }
    }

    /// `work/SERVICE/ENVIRONMENT/NUMBER` and what lies beside it.
    private func checkouts() -> [String] {
        var paths = ["\(home.path)/work"]
        for _ in 0..<3 {
            paths = paths.flatMap { parent in ((try? Files.list(parent)) ?? []).map { "\(parent)/\($0)" } }
        }
        return paths
    }
}
