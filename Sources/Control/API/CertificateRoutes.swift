// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import Hummingbird
internal import KintoCore
internal import Wire

/// `/certificates` and `/doctor`.
struct CertificateRoutes: Sendable {
    let actions: Actions

    private struct New: Decodable {
        let chain, key, folder: String?
    }

    func add(to api: RouterGroup<APIServer.Context>) {
        api.get("/certificates") { _, _ in try await actions.certificates().json() }
        api.put("/certificates/:name") { request, context in
            let name = try context.parameters.require("name")
            let ask = try await request.decoded(New.self)
            let source: Actions.CertificateSource
            switch (ask.chain, ask.key, ask.folder) {
            case (let chain?, let key?, nil): source = .texts(chain: chain, key: key)
            case (nil, nil, let folder?): source = .folder(folder)
            default:
                throw Failure(code: "invalid-request", "a certificate is 'chain' and 'key', or 'folder'")
            }
            return try await actions.addCertificate(name, from: source).json(.created)
        }
        api.delete("/certificates/:name") { _, context in
            try await actions.removeCertificate(context.parameters.require("name"))
            return Response(status: .noContent)
        }
        api.get("/doctor") { _, _ in try await actions.examine().json() }
    }
}

/// A certificate of the proxy.
struct CertificateJSON: Encodable, Sendable {
    let name: String
    let hosts: [String]
    /// RFC 3339; nil: none is in force.
    let expiresAt: String?
    /// Whole days; negative when it has expired.
    let daysLeft: Int?
    /// Why what is in its folder now is not used.
    let problem: String?

    init(_ certificate: ServedCertificate) {
        name = certificate.name
        hosts = certificate.hosts
        expiresAt = certificate.ends.map { Timestamp(milliseconds: $0 * 1000).rfc3339 }
        daysLeft = certificate.ends.map { Int((Double($0) - Date().timeIntervalSince1970) / 86400) }
        problem = certificate.problem
    }
}
