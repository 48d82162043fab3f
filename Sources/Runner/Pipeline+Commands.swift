// SPDX-License-Identifier: Apache-2.0
public import KintoCore
internal import Wire

/// The commands of a release beside its build: before it starts, and once it is live.
extension Pipeline {
    func runReleaseCommand(_ prepared: Prepared, _ release: Release, _ recorder: ReleaseRecorder) async throws
    {
        guard let text = prepared.manifest.release?.command else { return }
        try await builder.runOnce(
            try await command(text, "release", .store, prepared, release), release, recorder)
    }

    /// Runs `release.after`, once: of one that an earlier server started the end is waited for.
    /// - Throws: `Failure` when it did not go well, which changes nothing of the release.
    public func runAfter(_ prepared: Prepared, _ release: Release, _ recorder: ReleaseRecorder) async throws {
        guard let text = release.after else { return }
        // It keeps its own time.
        await deadlines.leave(release.id)
        try await builder.runOnce(
            try await command(text, "after", .drain, prepared, release), release, recorder)
    }

    private func command(
        _ text: String, _ name: String, _ stage: Stage, _ prepared: Prepared, _ release: Release
    ) async throws -> Builder.Command {
        let (containment, directory) = (builder.containment, prepared.directory)
        try await Blocking.run { try ArtifactAccess(containment: containment).open(directory) }
        let variables = environment.service(release, prepared.manifest, config: prepared.config)
        return Builder.Command(
            text: text, name: name, stage: stage, directory: directory,
            environment: containment.serviceUser?.adapt(variables, home: directory) ?? variables,
            secrets: ProcessEnvironment.secrets(prepared.config),
            timeout: prepared.manifest.release?.timeout ?? Manifest.ReleaseCommand(command: nil).timeout,
            confinement: containment.confineReleaseCommand())
    }
}
