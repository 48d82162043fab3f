// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import KintoCore
internal import Rollout
internal import Wire

/// Whether a service runs, how many of it, and who is let in; the proxy.
struct TrafficRoutes: Sendable {
    let actions: Actions

    private struct Ask: Decodable {
        let environment: String?
    }

    private struct Scaled: Encodable {
        let instances: Int
        let processes: [String: Int]
    }
    private struct Restart: Decodable {
        /// Milliseconds.
        let drain: Int?
    }
    private struct Traffic: Decodable {
        let environment: String?
        let on: Bool?
        let page: String?
        let allow: [String]?
        let retryAfter: Int?
        let instances: Int?
        let processes: [String: Int]?
        let reset: [String]?

        /// By type; nil: what kinto.json says.
        var scale: [String: Int?] {
            var scale: [String: Int?] = processes ?? [:]
            for type in reset ?? [] { scale[type] = .some(nil) }
            if let instances { scale["web"] = .some(instances == 0 ? nil : instances) }
            return scale
        }

        /// nil: open.
        func maintenance() throws -> Maintenance? {
            guard on ?? true else { return nil }
            let ranges = try (allow ?? []).map { text in
                guard let range = AddressRange(text) else {
                    throw Failure(
                        code: "invalid-request", "'\(text)' is no address and no block of addresses")
                }
                return range
            }
            guard (page?.utf8.count ?? 0) <= 256 << 10 else {
                throw Failure(code: "invalid-request", "a page is at most 256 KiB")
            }
            return Maintenance(
                retryAfter: min(max(0, retryAfter ?? 60), 31_536_000), allow: ranges, page: page)
        }
    }

    func add(to api: RouterGroup<APIServer.Context>) {
        let actions = actions
        api.post("/services/:name/suspend") { request, context in
            let ask = try await request.decoded(Ask.self)
            try await actions.suspend(request.target(context, environment: ask.environment))
            return try [String: String]().json()
        }
        api.post("/services/:name/resume") { request, context in
            let ask = try await request.decoded(Ask.self)
            let target = try request.target(context, environment: ask.environment)
            guard let release = try await actions.resume(target, by: context.by) else {
                return try [String: String]().json()
            }
            context.note.say(release)
            return try ReleaseJSON(release: release).json(.accepted)
        }
        api.post("/services/:name/pause") { request, context in
            let ask = try await request.decoded(Ask.self)
            try await actions.pause(request.target(context, environment: ask.environment))
            return try [String: String]().json()
        }
        api.post("/services/:name/maintenance") { request, context in
            let ask = try await request.decoded(Traffic.self)
            let target = try request.target(context, environment: ask.environment)
            try await actions.close(target, try ask.maintenance())
            return try [String: String]().json()
        }
        api.post("/services/:name/scale") { request, context in
            let ask = try await request.decoded(Traffic.self)
            let target = try request.target(context, environment: ask.environment)
            let numbers = try await actions.scale(target, to: ask.scale)
            return try Scaled(instances: numbers["web"] ?? 0, processes: numbers).json()
        }
        api.post("/proxy/restart") { request, _ in
            let ask = try await request.decoded(Restart.self)
            return try ProxyJSON(await actions.restartProxy(drain: ask.drain)).json()
        }
    }
}

/// The proxy that serves.
struct ProxyJSON: Encodable {
    let pid: Int32
    let supervisor: Int32?
    let listen: String
    let tlsListen: String?
    let version: String

    init(_ serving: ProxyProcess.Serving) {
        pid = serving.process.pid
        supervisor = serving.supervisor?.pid
        listen = serving.addresses.plain
        tlsListen = serving.addresses.secure
        version = serving.version
    }
}
