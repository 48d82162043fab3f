// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import HookReceiver
internal import Hummingbird
internal import KintoCore
internal import Wire

/// Where what becomes of releases is reported.
struct ReportRoutes: Sendable {
    let store: Store

    private struct NewTarget: Decodable {
        let service: String?
        let kind: String
        let url: String?
        let secret: String?
        let mail: NewMail?
    }

    private struct NewMail: Decodable {
        let from: String
        let to: [String]
        let user: String?
        let authorities: String?
        let plaintext: Bool?
    }

    private struct MailJSON: Encodable {
        let from: String
        let to: [String]
        let user: String?
        let plaintext: Bool
    }

    private struct TargetJSON: Encodable {
        let id: Int64
        let service: String?
        let kind: ReportTarget.Kind
        let url: String
        /// Of a mail.
        let mail: MailJSON?
        /// What went wrong last.
        let problem: String?
        /// Reports that are tried again.
        let waiting: Int
    }

    func add(to api: RouterGroup<APIServer.Context>) {
        api.get("/reports") { _, _ in
            try await store.reportTargets().map {
                TargetJSON(
                    id: $0.target.id, service: $0.target.service?.description, kind: $0.target.kind,
                    url: Credentials.redacted($0.target.url),
                    mail: $0.target.mail.map {
                        MailJSON(from: $0.from, to: $0.to, user: $0.user, plaintext: $0.isPlaintext)
                    }, problem: $0.problem, waiting: $0.waiting)
            }.json()
        }
        api.post("/reports") { request, context in
            let target = try await checked(request.decoded(NewTarget.self))
            let id = try await store.add(target)
            context.note.about("\(id)")
            return try ["id": id].json(.created)
        }
        api.delete("/reports/:id") { _, context in
            try await store.removeReportTarget(context.parameters.require("id", as: Int64.self))
            return Response(status: .noContent)
        }
    }

    private func refuse(_ text: String) -> Failure { Failure(code: "invalid-request", text) }

    private func service(_ name: String?) async throws -> RegisteredService? {
        guard let name else { return nil }
        guard let known = try await store.service(ServiceName(name)) else {
            throw Failure(code: "unknown-service", "there is no service '\(name)'")
        }
        return known
    }

    private func mail(_ ask: NewTarget, _ url: String, _ secret: String) async throws -> ReportTarget {
        guard MailServerAddress(url) != nil else {
            throw refuse("url is smtp://HOST or smtps://HOST, with :PORT where it is not the usual one")
        }
        guard let mail = ask.mail, !mail.to.isEmpty else {
            throw refuse("a mail needs who sends it and who gets it: --from, --to")
        }
        guard mail.to.count <= MailSettings.largestRecipientCount else {
            throw refuse("a mail has at most \(MailSettings.largestRecipientCount) recipients")
        }
        for address in [mail.from] + mail.to where !MailSettings.isAddress(address) {
            throw refuse(
                "'\(address.prefix(100))' is no address: name@example.com, in ASCII, without a name and brackets"
            )
        }
        func isLine(_ text: String) -> Bool {
            text.utf8.count <= 4096
                && !text.unicodeScalars.contains { $0.properties.generalCategory == .control }
        }
        guard isLine(secret), isLine(mail.user ?? "") else {
            throw refuse("user and password are one line each")
        }
        guard secret.isEmpty == (mail.user ?? "").isEmpty else {
            throw refuse("a user goes with a password, and a password with a user: --user, --secret-from")
        }
        let authorities = mail.authorities ?? ""
        guard authorities.isEmpty || authorities.contains("-----BEGIN CERTIFICATE-----"),
            authorities.utf8.count <= 256 << 10
        else { throw refuse("the authorities are certificates in PEM, of at most 256 KiB") }
        guard mail.plaintext != true || authorities.isEmpty && url.lowercased().hasPrefix("smtp://") else {
            throw refuse("without TLS there are no certificates, and no smtps://")
        }
        return ReportTarget(
            service: try await service(ask.service)?.name, kind: .mail, url: url, secret: secret,
            mail: MailSettings(
                from: mail.from, to: mail.to, user: secret.isEmpty ? nil : mail.user,
                authorities: authorities.isEmpty ? nil : authorities, isPlaintext: mail.plaintext ?? false))
    }

    private func checked(_ ask: NewTarget) async throws -> ReportTarget {
        guard let kind = ReportTarget.Kind(rawValue: ask.kind) else {
            throw refuse("kind is one of status, webhook, slack and mail")
        }
        let (url, secret) = (ask.url ?? "", ask.secret ?? "")
        if kind == .mail { return try await mail(ask, url, secret) }
        if ask.mail != nil { throw refuse("from, to and what belongs to them are of a mail only") }
        if !url.isEmpty {
            guard url.utf8.count <= 2048, url.hasPrefix("https://") || url.hasPrefix("http://"),
                URL(string: url)?.host != nil
            else { throw refuse("url is an http or https address") }
        }
        guard secret.utf8.count <= 4096, secret.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw refuse("secret is one word of printable ASCII characters")
        }
        let known = try await service(ask.service)
        if kind == .status, let known,
            known.source != .remote || [.generic, .gogs].contains(known.provider)
        {
            throw refuse(
                "\(known.name) has no forge that keeps statuses: its provider is \(known.provider.rawValue), its repository \(known.source.rawValue)"
            )
        }
        let name = known?.name
        switch kind {
        case .status where name == nil: throw refuse("a status is reported for one service: name it")
        case .status where secret.isEmpty: throw refuse("a status needs a token of the forge's API")
        case .webhook
        where secret.hasPrefix("whsec_")
            && StandardWebhook.signature(
                identifier: "", time: "", [], secret: secret) == nil:
            throw refuse("a secret that begins with whsec_ goes on in base64")
        case .webhook where url.isEmpty, .slack where url.isEmpty: throw refuse("name the url")
        default: break
        }
        return ReportTarget(
            service: name, kind: kind, url: url.hasSuffix("/") ? String(url.dropLast()) : url, secret: secret)
    }
}
