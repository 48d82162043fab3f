// SPDX-License-Identifier: Apache-2.0
internal import KintoCore

/// Turns what libgit2 says of a failed fetch into a failure with a stable code. The library tells kinds of
/// trouble apart only by its text.
enum FetchFailure {
    /// - Parameter setting: the limit of `FetchLimits` that was met.
    static func tooLarge(_ message: String, _ setting: String, _ evidence: [String] = []) -> Failure {
        Failure(
            code: "fetch-too-large", "\(message) The fetch was stopped (limit \(setting)).",
            evidence: evidence,
            hints: [.init("allow more", command: "kinto serve --fetch-limit \(setting)=…")])
    }

    static func explain(code: Int32, isTLS: Bool, message: String, spec: FetchSpec) -> Failure {
        let text = message.hasPrefix("config value") ? "" : message.lowercased()
        // A setting that was looked for on the way is not what went wrong.
        let evidence =
            message.isEmpty || message.hasPrefix("config value")
            ? ["libgit2 error \(code)"] : [shown(message.utf8)]
        let address = spec.address
        func has(_ parts: String...) -> Bool { parts.contains { text.contains($0) } }
        func failure(_ code: String, _ message: String, _ hint: String? = nil) -> Failure {
            Failure(code: code, message, evidence: evidence, hints: hint.map { [.init($0)] } ?? [])
        }
        if has("no space left", "quota exceeded") {
            var full = failure("disk-full", "The disk is full: the fetch from \(address) stopped.")
            full.hints = [.init("Free some space, then deploy again.", command: "df -h")]
            return full
        }
        if has("out of memory") {
            return tooLarge("What \(address) sends does not fit into memory.", "memory", evidence)
        }
        if has("too many objects") {
            return tooLarge("\(address) has too many objects to send.", "objects", evidence)
        }
        if code == -16
            || has("status code: 401", "status code: 403", "authentication", "callback returned unsupported")
            || has("permission denied")
        {
            return failure(
                "fetch-auth", "\(address) does not let kinto in.",
                address.transport == .ssh
                    ? "Add kinto's public key to the repository. RSA keys do not work here: use an ed25519 key."
                    : "Give kinto a token that may read the repository.")
        }
        if has("failed to resolve address", "name or service not known", "temporary failure in name") {
            return failure(
                "fetch-dns", "The name \(address.host) cannot be resolved.",
                "Check the address, and the name servers of this machine.")
        }
        if has("failed to connect", "connection refused", "no route to host", "network is unreachable") {
            return failure(
                "fetch-unreachable", "\(address.host) does not accept connections.",
                "Check the address and port, and whether this machine may reach it.")
        }
        if isTLS || code == -17 || has("ssl", "tls", "certificate") {
            return failure("fetch-tls", "No secure connection to \(address.host) could be made.")
        }
        if has("unable to exchange encryption keys", "failed to start ssh session") {
            return failure(
                "fetch-ssh", "\(address.host) and kinto have no ssh key exchange or host key kind in common.",
                "Add the host's ed25519 or ecdsa key to known_hosts.")
        }
        if has("redirect") {
            return failure(
                "fetch-redirect", "\(address) sends kinto to another host, where it does not go.",
                "Use the address that it redirects to.")
        }
        if has(
            "status code: 404", "not found", "does not exist", "failed to resolve path", "no such file",
            "could not find repository",
            "does not appear to be a git repository", "unsupported url")
        {
            return failure(
                "fetch-not-found", "There is no repository at \(address), or kinto may not see it.",
                "Check the address; private repositories look absent without credentials.")
        }
        if has("eof", "connection reset", "broken pipe", "timed out", "early", "closed") {
            return failure("fetch-interrupted", "The connection to \(address) broke off.", "Deploy again.")
        }
        return failure("fetch-failed", "The fetch from \(address) failed.")
    }
}
