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
    }

    private struct TargetJSON: Encodable {
        let id: Int64
        let service: String?
        let kind: ReportTarget.Kind
        let url: String
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
                    url: Credentials.redacted($0.target.url), problem: $0.problem, waiting: $0.waiting)
            }.json()
        }
        api.post("/reports") { request, _ in
            let target = try await checked(request.decoded(NewTarget.self))
            return try await ["id": store.add(target)].json(.created)
        }
        api.delete("/reports/:id") { _, context in
            try await store.removeReportTarget(context.parameters.require("id", as: Int64.self))
            return Response(status: .noContent)
        }
    }

    private func checked(_ ask: NewTarget) async throws -> ReportTarget {
        func refuse(_ text: String) -> Failure { Failure(code: "invalid-request", text) }
        guard let kind = ReportTarget.Kind(rawValue: ask.kind) else {
            throw refuse("kind is one of status, webhook and slack")
        }
        let (url, secret) = (ask.url ?? "", ask.secret ?? "")
        if !url.isEmpty {
            guard url.utf8.count <= 2048, url.hasPrefix("https://") || url.hasPrefix("http://"),
                URL(string: url)?.host != nil
            else { throw refuse("url is an http or https address") }
        }
        guard secret.utf8.count <= 4096, secret.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw refuse("secret is one word of printable ASCII characters")
        }
        var name: ServiceName?
        if let service = ask.service {
            let parsed = try ServiceName(service)
            guard let known = try await store.service(parsed) else {
                throw Failure(code: "unknown-service", "there is no service '\(service)'")
            }
            if kind == .status, known.source != .remote || known.provider == .generic {
                throw refuse(
                    "\(service) has no forge that keeps statuses: its provider is \(known.provider.rawValue), its repository \(known.source.rawValue)"
                )
            }
            name = parsed
        }
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
