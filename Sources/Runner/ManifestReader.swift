// SPDX-License-Identifier: Apache-2.0
public import KintoCore

/// Reads kinto.json and Procfile from a commit's own tree.
public enum ManifestReader {
    /// - Throws: `Failure` when the repository cannot be read.
    /// - Returns: the settings, or a failure of code `manifest-…` that shows each problem with its line.
    public static func read(
        _ commit: CommitID, repository: GitRepository, environment: String
    ) throws -> Result<Manifest, Failure> {
        let hint = Failure.Hint("see what is wrong before pushing", command: "kinto check")
        func refused(_ code: String, _ message: String) -> Result<Manifest, Failure> {
            .failure(Failure(stage: .fetch, code: code, message, hints: [hint]))
        }
        let procfile: [UInt8]?
        if case .found(let bytes) = try repository.readFile(
            commit, path: "Procfile", limit: Manifest.sizeLimit)
        {
            procfile = bytes
        } else {
            procfile = nil
        }
        let bytes: [UInt8]
        switch try repository.readFile(commit, path: "kinto.json", limit: Manifest.sizeLimit) {
        case .found(let content): bytes = content
        case .missing where procfile != nil: bytes = Array("{}".utf8)
        case .missing:
            return .failure(
                Failure(
                    stage: .fetch, code: "manifest-missing",
                    "the commit has neither kinto.json nor a Procfile",
                    hints: [.init("add a kinto.json: the smallest one is { \"start\": \"./server\" }")]))
        case .directory: return refused("manifest-not-a-file", "kinto.json is a directory, not a file")
        case .symlink:
            return refused("manifest-not-a-file", "kinto.json is a symbolic link: commit the file itself")
        case .submodule: return refused("manifest-not-a-file", "kinto.json is a submodule, not a file")
        case .tooLarge(let size):
            return refused(
                "manifest-too-large", "kinto.json has \(size) bytes; at most \(Manifest.sizeLimit) are read")
        }
        return Manifest.parse(bytes, environment: environment, procfile: procfile).mapError { errors in
            Failure(
                stage: .fetch, code: "manifest-invalid", "kinto.json has mistakes",
                evidence: errors.rendered.split(separator: "\n", omittingEmptySubsequences: false).map(
                    String.init),
                hints: [hint])
        }
    }
}
