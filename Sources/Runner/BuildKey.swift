// SPDX-License-Identifier: Apache-2.0
internal import Crypto
internal import Foundation
internal import Glibc
internal import KintoCore
internal import Wire

/// Names all that a build depends on, as far as kinto knows it: builds of one key give the same artifact.
enum BuildKey {
    /// Told to a build though they are different for each release; a build that writes them down does so once.
    private static let ofTheRelease = ["KINTO_RELEASE=", "KINTO_COMMIT=", "SOURCE_VERSION="]

    /// - Parameters:
    ///   - tree: of the whole commit, since a build in `root` may read beside it.
    ///   - environment: of the build, whole.
    static func of(tree: String, _ manifest: Manifest, environment: [String]) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        var fields = Fields()
        fields.add("tree", tree)
        fields.add("root", manifest.root)
        // The tree names their commits.
        if manifest.git?.submodules == true { fields.add("submodules", "1") }
        fields.add("build", String(decoding: try encoder.encode(manifest.build), as: UTF8.self))
        for variable in environment.sorted()
        where !ofTheRelease.contains(where: { variable.hasPrefix($0) }) {
            fields.add("environment", variable)
        }
        for fact in host() { fields.add("host", fact) }
        return hexadecimal(SHA256.hash(data: fields.encoded()))
    }

    /// The machine, the system's version, and when a package was last installed: compilers come with them.
    private static func host() -> [String] {
        var facts = [
            (try? Files.read("/etc/os-release", limit: 1 << 16)).map { String(decoding: $0, as: UTF8.self) }
                ?? ""
        ]
        var machine = utsname()
        if uname(&machine) == 0 {
            facts.append(
                withUnsafeBytes(of: &machine.machine) {
                    String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
                })
        }
        for database in [
            "/var/lib/dpkg/status", "/var/lib/rpm/rpmdb.sqlite", "/lib/apk/db/installed",
            "/var/lib/pacman/local",
        ] {
            var status = stat()
            guard stat(database, &status) == 0 else { continue }
            facts.append("\(database) \(status.st_size) \(status.modifiedNanoseconds)")
        }
        return facts
    }
}
