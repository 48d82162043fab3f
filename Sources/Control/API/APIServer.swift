// SPDX-License-Identifier: Apache-2.0
// Nothing of it is used here, but what the module imports first decides which module has stat(2): Foundation would say Dispatch.
internal import Crypto
internal import Foundation
internal import Glibc
internal import Hummingbird
internal import HummingbirdCore
internal import KintoCore
internal import Logging
internal import NIOCore

/// The control server's routes, in groups of their own, and the two doors to them: the unix socket, which only the
/// owner can open, and TCP, where all but webhooks and health needs a token.
struct APIServer: Sendable {
    typealias Context = DoorContext

    let actions: Actions
    let version: String
    let limiter = RefusalLimiter()
    let metrics: MetricsRoutes

    init(actions: Actions, version: String) {
        self.actions = actions
        self.version = version
        metrics = MetricsRoutes(actions: actions, version: version)
    }

    /// What a visitor may send before anything is known of it. A head, or a pause within a request, lasts 30 s at most.
    static let limits = HTTP1Channel.Configuration(
        idleTimeout: .seconds(30),
        httpDecoderConfiguration: .init(
            maxHeaderFieldSize: 16 << 10, maxHeaderListSize: 64 << 10, maxHeaderFieldCount: 100))

    func router(trusted: Bool) throws -> Router<Context> {
        let routes = RouteList()
        let gate = Gate(accounts: actions.accounts, audit: actions.audit, isLocal: trusted)
        let router = NotedRouter(router: Router(context: Context.self), routes: routes, gate: gate)
        router.add(middleware: ProblemMiddleware(routes: routes))
        let document = ByteBuffer(bytes: try OpenAPI(version: version).encoded())
        router.get("/healthz") { _, _ in "ok\n" }
        // What it says is no secret: it is the same of every server.
        router.get("/api/v1/openapi.json") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "application/json"], body: .init(byteBuffer: document))
        }
        WebhookRoutes(door: actions.webhooks, limiter: limiter).add(to: router)
        if trusted { HookRoutes(actions: actions).add(to: router) }
        if !trusted { Dashboard(actions: actions, version: version, gate: gate).add(to: router) }
        metrics.add(to: router.group())
        let api = router.group("/api/v1")
        api.add(middleware: RequestCheck())
        ServiceRoutes(actions: actions, version: version, isLocal: trusted).add(to: api)
        TrafficRoutes(actions: actions).add(to: api)
        DeliveryRoutes(actions: actions).add(to: api)
        OverviewRoutes(actions: actions, version: version).add(to: api)
        EnvironmentRoutes(actions: actions).add(to: api)
        ReleaseRoutes(actions: actions).add(to: api)
        EventRoutes(store: actions.store).add(to: api)
        ConfigRoutes(actions: actions, isLocal: trusted).add(to: api)
        RunRoutes(actions: actions, isLocal: trusted).add(to: api)
        CronRoutes(actions: actions).add(to: api)
        CertificateRoutes(actions: actions).add(to: api)
        StorageRoutes(actions: actions).add(to: api)
        ReportRoutes(store: actions.store).add(to: api)
        AccessRoutes(actions: actions).add(to: api)
        #if DEBUG
            try Operations.require(routes)
        #endif
        return router.router
    }
}

/// A request's context, with where it came from.
struct DoorContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// The visitor's address, an IPv6 one by its /64; nil at the unix socket.
    let source: String?

    /// Who asks; nil before ``Gate`` knows, and where anybody may.
    var principal: Principal?
    /// For the audit log.
    let note = AuditNote()

    private let channel: any Channel

    init(source: Source) {
        coreContext = .init(source: source)
        channel = source.channel
        self.source = source.channel.remoteAddress.flatMap(DoorContext.address)
    }

    /// As it stands in releases.
    var by: String? { principal?.name }

    /// The user at the other end of the unix socket, as the kernel tells it.
    func peer() async -> UInt32? {
        guard let provider = channel as? any SocketOptionProvider else { return nil }
        // ucred(7), which the C library has for few.
        let peer: (process: Int32, user: UInt32, group: UInt32)? = try? await provider.unsafeGetSocketOption(
            level: NIOBSDSocket.OptionLevel(rawValue: SOL_SOCKET),
            name: NIOBSDSocket.Option(rawValue: SO_PEERCRED)
        ).get()
        return peer?.user
    }

    /// Ends the connection now.
    func cut() { channel.close(promise: nil) }

    /// Ends the connection as soon as an answer had its time to go out.
    func close() {
        let channel = channel
        channel.eventLoop.scheduleTask(in: .seconds(1)) { channel.close(promise: nil) }
    }

    private static func address(_ address: NIOCore.SocketAddress) -> String? {
        guard let text = address.ipAddress else { return nil }
        var bytes = [UInt8](repeating: 0, count: 16)
        guard inet_pton(AF_INET6, text, &bytes) == 1 else { return text }
        return bytes.prefix(8).map { "\($0)" }.joined(separator: ".")
    }
}

/// Turns every error into problem details.
private struct ProblemMiddleware: RouterMiddleware {
    typealias Context = APIServer.Context
    let routes: RouteList

    func handle(_ request: Request, context: Context, next: (Request, Context) async throws -> Response)
        async throws
        -> Response
    {
        do { return try await next(request, context) } catch let error as HTTPError {
            throw problem(error, request)
        } catch { throw Problem.wrap(error) }
    }

    private func problem(_ error: HTTPError, _ request: Request) -> Problem {
        switch error.status {
        case .notFound:
            let methods = routes.methods(of: request.uri.path)
            guard !methods.isEmpty, !methods.contains(request.method.rawValue) else {
                return Problem(Failure(code: "unknown-path", "there is nothing at \(request.uri.path)"))
            }
            let allowed = methods.joined(separator: ", ")
            return Problem(
                Failure(
                    code: "method-not-allowed",
                    "\(request.uri.path) is asked with \(allowed), not \(request.method.rawValue)"),
                headers: [.allow: allowed])
        case .contentTooLarge: return Problem(Failure(code: "body-too-large", "the body is too large"))
        default: return Problem(Failure(code: "malformed", error.body ?? "the request cannot be read"))
        }
    }
}

extension Encodable {
    /// The value as a JSON answer.
    func json(_ status: HTTPResponse.Status = .ok) throws -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Response(
            status: status, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: try encoder.encode(self))))
    }
}

extension Response {
    /// The same, and a place for a fault when it was sent.
    func then(_ fault: Fault) -> Response {
        #if DEBUG
            var copy = self
            let body = body
            copy.body = ResponseBody(contentLength: body.contentLength) { writer in
                try await body.write(writer)
                // The last bytes are on their way to the socket.
                try? await Task.sleep(for: .milliseconds(20))
                fault.pass()
            }
            return copy
        #else
            return self
        #endif
    }
}

extension Request {
    /// The body as JSON of the given form; an empty one counts as `{}`.
    func decoded<T: Decodable>(_ type: T.Type, limit: Int = 1 << 20) async throws -> T {
        let buffer = try await body.collect(upTo: limit)
        let bytes = buffer.readableBytes == 0 ? Data("{}".utf8) : Data(buffer.readableBytesView)
        do { return try JSONDecoder().decode(type, from: bytes) } catch {
            // ``RequestCheck`` came before and found nothing.
            throw Failure(code: "malformed", "the body is not the JSON that is expected here")
        }
    }

    /// The target that the path and `?env=` name.
    func target(_ context: APIServer.Context, environment: String? = nil) throws -> Target {
        let name = try ServiceName(context.parameters.require("name"))
        let environment = environment ?? uri.queryParameters["env"].map(String.init)
        let target = Target(
            service: name, environment: try environment.map { try EnvironmentName($0) } ?? .production)
        context.note.about(target)
        return target
    }

    /// `?limit=`, which ``RequestCheck`` has looked at.
    var limit: Int { uri.queryParameters["limit"].flatMap { Int($0) } ?? 100 }

    func flag(_ name: String) -> Bool { uri.queryParameters[Substring(name)] == "1" }
}
