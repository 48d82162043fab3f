// SPDX-License-Identifier: Apache-2.0
internal import HookReceiver
internal import KintoCore
internal import Wire

extension Actions {
    /// Where a forge sends a service's deliveries.
    func hookAddress(_ service: ServiceName) -> String {
        "\(options.publicURL ?? "http://\(options.listen)")/hooks/\(service)"
    }

    struct Rotated: Encodable {
        let name, url, secret: String
        let provider: Provider
        /// Until when the secret before signs, too.
        let previousUntil: String
    }

    /// Puts a new secret into force, beside the present one for a while.
    /// - Parameters:
    ///   - given: nil: a random one is made.
    ///   - overlap: how long the present one is in force beside it.
    /// - Throws: `Failure` of code `unknown-service` or `invalid-secret`.
    func rotateSecret(_ service: ServiceName, to given: String?, overlap: Duration) async throws -> Rotated {
        guard let known = try await store.service(service) else {
            throw Failure(code: "unknown-service", "there is no service '\(service)'")
        }
        if let given, let reason = WebhookSignature.unusable(given) {
            throw Failure(code: "invalid-secret", reason)
        }
        let secret = given ?? Actions.random()
        let milliseconds = Int64(overlap.components.seconds) * 1000
        let until = Timestamp(milliseconds: Timestamp.now.milliseconds + milliseconds)
        try await store.rotateSecret(service, to: secret, until: until)
        return Rotated(
            name: service.description, url: hookAddress(service), secret: secret, provider: known.provider,
            previousUntil: until.rfc3339)
    }
}
