// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import KintoCore
internal import Wire

/// The hooks that kinto puts into a bare repository.
enum HookScripts {
    static func install(in repository: String, service: ServiceName, home: Home, runtime: String) throws {
        for kind in ["pre-receive", "post-receive"] {
            let path = "\(repository)/hooks/\(kind)"
            if let old = try? Files.read(path), !String(decoding: old, as: UTF8.self).contains(mark) {
                throw Failure(
                    code: "hook-exists", "\(path) is there already and is not kinto's",
                    hints: [
                        .init(
                            "move it away, or call this from it: \(runtime) hook \(kind) --home \(home.path) --service \(service)"
                        )
                    ])
            }
            try Files.makeDirectories("\(repository)/hooks", mode: 0o755)
            let script =
                "#!/bin/sh\n\(mark)\nexec \(ShellWord.quoted(runtime)) hook \(kind) --home \(ShellWord.quoted(home.path)) --service \(service)\n"
            try Files.replace(path, with: Array(script.utf8), mode: 0o755)
        }
    }

    static func remove(from repository: String) {
        for kind in ["pre-receive", "post-receive"] {
            let path = "\(repository)/hooks/\(kind)"
            if let old = try? Files.read(path), String(decoding: old, as: UTF8.self).contains(mark) {
                unlink(path)
            }
        }
    }

    private static let mark = "# installed by kinto"
}
