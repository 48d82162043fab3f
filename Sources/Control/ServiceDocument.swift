// SPDX-License-Identifier: Apache-2.0
internal import KintoCore

/// A service in a file, to be registered on another machine: what it is, not what it did.
struct ServiceDocument: Codable, Sendable {
    static let format = "kinto-service"
    static let version = 1

    struct Variable: Codable, Sendable {
        let name: String
        let secret: Bool
        /// nil: a secret; its value is in `secrets`, or nowhere.
        var value: String?
    }

    struct Environment: Codable, Sendable {
        let name, branch: String
        let autoDeploy, protect: Bool
        let scale: Int?
        /// Of other types than `web`.
        let scales: [String: Int]?
        let variables: [Variable]
    }

    /// What only its owner may know.
    struct Secrets: Codable, Sendable {
        /// By environment and name.
        let variables: [String: [String: String]]
        let webhook: String
        /// With the password that its address may have.
        let repository: String?
        let sshKey, publicKey, token: String?
    }

    let format: String
    let version: Int
    let name, kind: String
    /// nil: kinto hosts it.
    let repository: String?
    let settings, provider, queue, missed: String
    let submoduleHosts: [String]
    let username, authorities: String?
    let environments: [Environment]
    let previews: PreviewRule?
    var secrets: Secrets?

    /// Its members, for the document of the API.
    static let fields: [Field] = [
        .required("format", .choice([format])), .required("version", .integer(version...version)),
        .required("name", .name), .required("kind", .choice(["hosted", "local", "remote"])),
        .optional("repository", .text(2048)), .required("settings", .text(4096)),
        .required("provider", Schemas.providers), .required("queue", Schemas.policies),
        .required("missed", Schemas.missed), .required("submoduleHosts", .list(.text(300))),
        .optional("username", .text(4096)), .optional("authorities", .text(256 << 10)),
        .required(
            "environments",
            .list(
                .object([
                    .required("name", .environment), .required("branch", .text(255)),
                    .required("autoDeploy", .boolean),
                    .required("protect", .boolean), .optional("scale", .integer(0...100)),
                    .optional("scales", .map(.integer(0...100)), "Of other types than web."),
                    .required(
                        "variables",
                        .list(
                            .object([
                                .required("name", .text(256)), .required("secret", .boolean),
                                .optional("value", .text(64 << 10), "Missing: a secret."),
                            ]))),
                ]))),
        .optional(
            "previews",
            .object([
                .required("pattern", .text(255)),
                .required("lifetime", .integer(60_000...PreviewRule.longest), "Milliseconds."),
                .required("most", .integer(1...100)), .optional("config", .environment),
                .required("forks", .boolean),
            ])),
        .optional(
            "secrets",
            .object([
                .required("variables", .map(.map(.text(64 << 10))), "By environment and name."),
                .required("webhook", .text(4096)), .optional("repository", .text(2048)),
                .optional("sshKey", .text(64 << 10)), .optional("publicKey", .text(64 << 10)),
                .optional("token", .text(4096)),
            ])),
    ]
}
