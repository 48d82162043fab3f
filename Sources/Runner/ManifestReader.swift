// SPDX-License-Identifier: Apache-2.0
public import KintoCore

/// Reads kinto.json and Procfile from a commit's own tree.
public enum ManifestReader {
    /// - Throws: `Failure` when the repository cannot be read.
    /// - Returns: the settings, or a failure of code `manifest-…` that shows each problem with its line.
    public static func read(
        _ commit: CommitID, repository: GitRepository, path: String = "kinto.json", environment: String
    ) throws -> Result<Manifest, Failure> {
        let hint = Failure.Hint("see what is wrong before pushing", command: "kinto check")
        func refused(_ code: String, _ message: String) -> Result<[UInt8]?, Failure> {
            .failure(Failure(stage: .fetch, code: code, message, hints: [hint]))
        }
        /// The file's bytes, nil when it is missing, or why it cannot be used.
        func contents(_ name: String) throws -> Result<[UInt8]?, Failure> {
            switch try repository.readFile(commit, path: name, limit: Manifest.sizeLimit) {
            case .found(let bytes): return .success(bytes)
            case .missing: return .success(nil)
            case .directory: return refused("manifest-not-a-file", "\(name) is a directory, not a file")
            case .symlink:
                return refused("manifest-not-a-file", "\(name) is a symbolic link: commit the file itself")
            case .submodule: return refused("manifest-not-a-file", "\(name) is a submodule, not a file")
            case .tooLarge(let size):
                return refused(
                    "manifest-too-large", "\(name) has \(size) bytes; at most \(Manifest.sizeLimit) are read")
            }
        }
        // With the slash; empty at the repository's root.
        let place = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
        let (settings, procfile): ([UInt8]?, [UInt8]?)
        do {
            settings = try contents(path).get()
            // Beside a kinto.json, what is called Procfile may be anything.
            let found = try contents(place + "Procfile")
            procfile = settings == nil ? try found.get() : try? found.get()
        } catch let failure as Failure { return .failure(failure) }
        guard let bytes = settings ?? procfile.map({ _ in Array("{}".utf8) }) else {
            return .failure(try missing(commit, repository, path, place))
        }
        return Manifest.parse(bytes, environment: environment, procfile: procfile).map { parsed in
            var manifest = parsed
            // A service lives where its settings lie, unless they say otherwise.
            if manifest.root == ".", !place.isEmpty { manifest.root = String(place.dropLast()) }
            return manifest
        }.mapError { errors in
            Failure(
                stage: .fetch, code: "manifest-invalid", "\(path) has mistakes",
                evidence: errors.rendered.split(separator: "\n", omittingEmptySubsequences: false).map(
                    String.init),
                hints: [hint])
        }
    }

    /// What was detected, and the file to write.
    private static func missing(
        _ commit: CommitID, _ repository: GitRepository, _ path: String, _ place: String
    ) throws -> Failure {
        let files = ProjectFiles { name in
            guard
                case .found(let bytes) = try? repository.readFile(
                    commit, path: place + name, limit: ProjectFiles.sizeLimit)
            else { return nil }
            return bytes
        }
        var failure = Failure(
            stage: .fetch, code: "manifest-missing",
            "the commit has neither \(path) nor \(place.isEmpty ? "a Procfile" : "\(place)Procfile")")
        let foreign = try repository.foreignFiles(commit, at: place)
        failure.evidence = foreign.map { [$0.message] } ?? []
        guard let found = Detection.of(files) else {
            failure.hints = [
                foreign?.hint ?? .init("add a kinto.json: the smallest one is { \"start\": \"./server\" }")
            ]
            return failure
        }
        guard let settings = found.settings else {
            failure.evidence += ["it looks like \(found.words), and nothing says plainly what starts it"]
            failure.hints = [
                foreign?.hint
                    ?? .init(
                        "add a kinto.json that says so: { \"start\": \"…\" }; docs/kinto-json.md has the rest"
                    )
            ]
            return failure
        }
        failure.evidence +=
            ["it looks like \(found.words); this \(path) fits it:"]
            + settings.split(separator: "\n").map(String.init)
        failure.hints = [
            .init(
                "write that file, look at it, and commit it",
                command: place.isEmpty ? "kinto init" : "kinto init \(place.dropLast())")
        ]
        // What another tool starts is what somebody meant.
        if let hint = foreign?.hint { failure.hints.append(hint) }
        return failure
    }
}
