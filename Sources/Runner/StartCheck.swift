// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import KintoCore
internal import Wire

/// Whether what the processes run is there, once the artifact is: then it is sure, and no release command runs for nothing.
enum StartCheck {
    /// Blocks.
    /// - Parameters:
    ///   - manifest: each type is looked at: what runs at night fails then, and nobody looks.
    ///   - directory: the artifact's tree.
    ///   - environment: `NAME=value`, of the instances.
    /// - Throws: `Failure` of code `start-not-found` or `start-not-executable`.
    static func require(_ manifest: Manifest, in directory: String, environment: [String]) throws(Failure) {
        for (what, command) in manifest.commands {
            for need in StartCommand.needs(command) {
                switch need {
                case .program(let path): try program(path, of: what, in: directory)
                case .command(let name): try search(name, of: what, in: directory, environment)
                // What an interpreter makes of a name, it says itself.
                case .script, .packageScript: break
                }
            }
        }
    }

    private enum Found { case program, file, other, missing, unknown }

    private static func look(_ path: String) -> Found {
        var status = stat()
        guard stat(path, &status) == 0 else {
            return [ENOENT, ENOTDIR, ELOOP].contains(errno) ? .missing : .unknown
        }
        guard status.st_mode & S_IFMT == S_IFREG else { return .other }
        return status.st_mode & 0o111 != 0 ? .program : .file
    }

    private static func program(_ path: String, of what: String, in directory: String) throws(Failure) {
        let isOwn = !path.hasPrefix("/")
        switch look(isOwn ? "\(directory)/\(path)" : path) {
        case .program, .unknown: return
        case .file, .other:
            throw Failure(
                stage: .start, code: "start-not-executable",
                "\(what) runs \(path), which is not an executable file",
                hints: isOwn
                    ? [
                        .init(
                            "set its executable bit and commit, or have the build do so (git update-index --chmod=+x FILE)"
                        )
                    ]
                    : [.init("make it executable on this host")])
        case .missing:
            let names = ((try? Files.list(Files.parent(of: "\(directory)/\(path)"))) ?? []).sorted()
            throw Failure(
                stage: .start, code: "start-not-found",
                "\(what) runs \(path), which is not \(isOwn ? "in the artifact" : "on this host")",
                evidence: isOwn && !names.isEmpty
                    ? [
                        "in its directory: \(names.prefix(12).joined(separator: ", "))\(names.count > 12 ? ", …" : "")"
                    ] : [],
                hints: [
                    .init(
                        isOwn
                            ? "commit it, or have the build make it there; build.output says which directory is kept"
                            : "install it, or correct \(what)")
                ])
        }
    }

    private static func search(
        _ name: String, of what: String, in directory: String, _ environment: [String]
    ) throws(Failure) {
        guard let path = environment.first(where: { $0.hasPrefix("PATH=") })?.dropFirst(5) else { return }
        let places = path.split(separator: ":", omittingEmptySubsequences: false).map { place in
            place.isEmpty ? directory : place.hasPrefix("/") ? String(place) : "\(directory)/\(place)"
        }
        let found = places.map { look("\($0)/\(name)") }
        guard found.allSatisfy({ $0 == .missing || $0 == .other || $0 == .file }) else { return }
        let here = look("\(directory)/\(name)")
        throw Failure(
            stage: .start, code: "start-not-found",
            "\(what) runs '\(name)', which is not on this host, or not in the PATH of services",
            evidence: ["PATH=\(path)"],
            hints: [
                here == .program || here == .file
                    ? .init("it is in the artifact: write ./\(name)")
                    : .init("install it on this host, or correct \(what)")
            ])
    }
}
