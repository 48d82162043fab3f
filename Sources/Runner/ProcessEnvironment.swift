// SPDX-License-Identifier: Apache-2.0
internal import Crypto
public import KintoCore
internal import Wire

/// The environment of builds and services, made from nothing: four variables of the server's own, kinto's, then
/// kinto.json's, then the server-side configuration, later ones winning.
public struct ProcessEnvironment: Sendable {
    /// `PATH`, `HOME`, `LANG`, `TZ` of the server, as far as they are set.
    let inherited: [String: String]
    let home: Home

    public init(inherited: [String: String], home: Home) {
        self.inherited = inherited.filter { ["PATH", "HOME", "LANG", "TZ"].contains($0.key) }
        self.home = home
    }

    /// Marks every process started for this home.
    public static func homeMark(_ home: Home) -> String {
        SHA256.hash(data: Array(home.path.utf8)).prefix(8).map {
            ($0 < 16 ? "0" : "") + String($0, radix: 16)
        }.joined()
    }

    /// For a release's instances and its release command. What differs between instances is added by the rollout.
    public func service(_ release: Release, _ manifest: Manifest, config: [String: String]) -> [String] {
        merged(release, [manifest.env, config])
    }

    /// For the build: `build.env` beside the service's variables.
    func build(_ release: Release, _ manifest: Manifest, config: [String: String]) -> [String] {
        merged(release, [["CI": "true"], manifest.env, manifest.build.env, config])
    }

    /// Values of the server-side configuration, which never reach a log.
    public static func secrets(_ config: [String: String]) -> [String] {
        config.values.filter { $0.utf8.count >= 6 }
    }

    private func merged(_ release: Release, _ layers: [[String: String]]) -> [String] {
        var all = inherited
        if all["PATH"] == nil { all["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" }
        all["KINTO_SERVICE"] = release.target.service.description
        all["KINTO_ENVIRONMENT"] = release.target.environment.description
        all["KINTO_RELEASE"] = String(release.number)
        all["KINTO_COMMIT"] = release.commit?.description ?? ""
        all["SOURCE_VERSION"] = release.commit?.description ?? ""
        for layer in layers { all.merge(layer) { $1 } }
        all["KINTO_HOME_ID"] = ProcessEnvironment.homeMark(home)
        return all.map { "\($0)=\($1)" }.sorted()
    }
}
