// SPDX-License-Identifier: Apache-2.0
internal import KintoCore

/// A built tree as it is kept: what releases are started from.
public struct Artifact: Sendable, Equatable {
    /// One path component, given by the caller.
    public let id: String
    /// 64 hexadecimal digits: the hash of all paths, kinds, modes, sizes and contents, not of times. The same
    /// tree has the same one, wherever and whenever it was built.
    public let sha256: String
    /// Contents of all files together.
    public let bytes: Int
    /// Files and links.
    public let files: Int
    /// Absolute path of the tree.
    public let path: String

    /// Takes the values as they are, from a record of the store.
    public init(id: String, sha256: String, bytes: Int, files: Int, path: String) {
        self.id = id
        self.sha256 = sha256
        self.bytes = bytes
        self.files = files
        self.path = path
    }

    /// As a release has it on record.
    init(_ recorded: Release.Artifact, in store: ArtifactStore) {
        self.init(
            id: recorded.identifier, sha256: recorded.sha256, bytes: Int(recorded.bytes), files: 0,
            path: store.tree(recorded.identifier))
    }
}
