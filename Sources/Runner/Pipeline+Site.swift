// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Wire

/// Files that the proxy answers with.
extension Pipeline {
    /// Makes what the proxy needs of an artifact, unless it is there.
    func indexSite(_ artifact: Artifact, _ manifest: Manifest, _ recorder: ReleaseRecorder) async throws {
        guard let source = manifest.siteSource else { return }
        let cancellation = Cancellation()
        let indexer = SiteIndexer(
            artifact: artifact, source: source, named: manifest.served, cancellation: cancellation)
        let fallback = manifest.static?.fallback
        let made = try await withTaskCancellationHandler {
            try await Blocking.run { try indexer.make(fallback: fallback) }
        } onCancel: {
            cancellation.cancel()
        }
        guard let made else { return }
        let what = source.isSite ? "Site" : "Assets"
        let more = made.compressed > 0 ? ", \(made.compressed) of them compressed as well" : ""
        await recorder.log(.step("\(what): \(made.files) file\(made.files == 1 ? "" : "s")\(more)"))
        for warning in made.warnings { await recorder.log(.trouble(warning)) }
    }
}
