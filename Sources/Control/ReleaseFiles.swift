// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Wire

/// What the proxy answers with itself, for releases of the store.
struct ReleaseFiles: Sendable {
    let home: Home
    let store: Store

    /// nil: requests are answered by instances only.
    func of(_ release: Release) async throws -> StaticFiles? {
        guard release.manifest?.siteSource != nil else { return nil }
        let history = try await store.releases(release.target, limit: Release.earlierFiles)
        return release.files(history, in: home, now: .now)
    }
}
