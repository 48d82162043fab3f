// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import KintoCore

/// What a request of a browser must show before anything is done for it.
struct DashboardDoor {
    let options: ServeOptions

    static let cookieName = "kinto_session"

    /// Nothing but what this server itself sends is loaded, run or posted to; nothing is kept or framed.
    static let headers: [(HTTPField.Name, String)] =
        [
            (
                .contentSecurityPolicy,
                "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
            ),
            (.xContentTypeOptions, "nosniff"), (.cacheControl, "no-store"),
        ]
        + [
            ("X-Frame-Options", "DENY"), ("Referrer-Policy", "same-origin"),
            ("Cross-Origin-Opener-Policy", "same-origin"), ("Cross-Origin-Resource-Policy", "same-origin"),
        ].compactMap { name, value in HTTPField.Name(name).map { ($0, value) } }

    /// A name that is not ours is another site's that was pointed here (DNS rebinding); a form must come from a page
    /// of ours, as browsers say in two fields that no page can set.
    /// - Throws: `foreign-host`, `foreign-form`.
    func check(_ request: Request) throws {
        let authority = request.head.authority ?? ""
        guard hosts.contains(DashboardDoor.host(of: authority)) else {
            throw Failure(
                code: "foreign-host", "this server is not known by the name that was asked for",
                hints: [.init("name it when it is started", command: "kinto serve --public-url URL")])
        }
        guard request.method == .post else { return }
        let site = HTTPField.Name("Sec-Fetch-Site").flatMap { request.headers[$0] }
        let origin = request.headers[.origin]
        let isOurs = origin.map { $0 == "http://\(authority)" || $0 == "https://\(authority)" }
        guard site ?? "same-origin" == "same-origin", isOurs ?? (site != nil) else {
            throw Failure(code: "foreign-form", "this form was not sent from a page of this server")
        }
    }

    /// Whether visitors come over TLS: then the cookie never travels without.
    func isSecure(_ request: Request) -> Bool {
        guard let url = options.publicURL, url.hasPrefix("https://") else { return false }
        return DashboardDoor.host(of: request.head.authority ?? "") == URL(string: url)?.host?.lowercased()
    }

    static func cookie(_ request: Request, named cookieName: String = cookieName) -> String? {
        for field in request.headers[values: .cookie] {
            for part in field.split(separator: ";") {
                let pair = part.drop { $0 == " " }
                if pair.hasPrefix(cookieName + "=") { return String(pair.dropFirst(cookieName.count + 1)) }
            }
        }
        return nil
    }

    /// The page of ours that a request comes from, as a path: where "back" leads.
    static func referrer(of request: Request) -> String? {
        guard let authority = request.head.authority, let from = request.headers[.referer] else { return nil }
        for scheme in ["http://", "https://"] where from.hasPrefix("\(scheme)\(authority)/") {
            let path = from.dropFirst(scheme.count + authority.count)
            return path.hasPrefix("//") ? nil : String(path)
        }
        return nil
    }

    /// The environment whose page was asked for.
    static func target(of request: Request) -> Target? {
        let words = request.uri.path.split(separator: "/")
        guard words.count >= 3, words[0] == "services", let service = try? ServiceName(String(words[1])),
            let environment = try? EnvironmentName(String(words[2]))
        else { return nil }
        return Target(service: service, environment: environment)
    }

    private var hosts: Set<String> {
        var hosts: Set = ["localhost", "127.0.0.1", "[::1]", DashboardDoor.host(of: options.listen)]
        if let host = options.publicURL.flatMap({ URL(string: $0)?.host }) { hosts.insert(host.lowercased()) }
        return hosts
    }

    /// Without the port.
    private static func host(of authority: String) -> String {
        let text = authority.lowercased()
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") { return String(text[...end]) }
        return String(text.prefix { $0 != ":" })
    }
}
