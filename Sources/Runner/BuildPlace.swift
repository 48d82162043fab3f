// SPDX-License-Identifier: Apache-2.0
internal import KintoCore

/// Where a release is built and what its artifact is called.
struct BuildPlace: Sendable {
    let workspace: String
    /// The service's root in it: where the build command runs.
    let root: String
    /// What is kept of it.
    let output: String
    /// The artifact's ID.
    let artifact: String

    init(home: Home, _ release: Release, _ manifest: Manifest) {
        workspace = home.workspace(release.target, release.number)
        root = manifest.root == "." ? workspace : "\(workspace)/\(manifest.root)"
        output = manifest.build.output == "." ? root : "\(root)/\(manifest.build.output)"
        artifact = "\(release.target.service).\(release.target.environment).\(release.number)"
    }
}
