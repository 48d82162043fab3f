// SPDX-License-Identifier: Apache-2.0
internal import HookReceiver
internal import Hummingbird
internal import KintoCore
internal import NIOCore
internal import Runner
internal import Wire

/// What the installed git hooks ask, over the unix socket only.
struct HookRoutes: Sendable {
    let actions: Actions

    func add(to router: NotedRouter) {
        router.post("/hook/:name/post-receive") { request, context in
            let (push, target, environment) = try await read(request, context)
            return try await received(push, target, environment)
        }
        router.post("/hook/:name/pre-receive") { request, context in
            let (push, target, environment) = try await read(request, context)
            return try await check(push, target, environment)
        }
    }

    private func read(_ request: Request, _ context: APIServer.Context) async throws -> (
        PushRequest, Target, RegisteredEnvironment
    ) {
        let body = try await request.body.collect(upTo: 17 << 20)
        try Fault.bodyRead.reach()
        let push = try PushRequest(Fields(decoding: Array(body.readableBytesView)))
        let target = try request.target(context)
        guard let environment = try await actions.store.environment(target) else {
            throw Failure(code: "unknown-service", "kinto has no service '\(target.service)'")
        }
        return (push, target, environment)
    }

    private func received(_ push: PushRequest, _ target: Target, _ environment: RegisteredEnvironment)
        async throws -> Response
    {
        let (update, notes) = push.plan(
            branch: environment.branch, environment: target.environment.description)
        var head = notes.map { LogLine.detail($0).text + "\n" }.joined()
        guard let update else { return text(head) }
        if let stopped = environment.deploysStopped {
            let lines: [LogLine] = [
                .trouble("automatic deploys of \(target) are stopped: \(stopped)"),
                .detail(
                    "deploy by hand, which starts them again when it goes well: kinto deploy \(target.service)"
                ),
            ]
            return text(head + lines.map { $0.text + "\n" }.joined())
        }
        do {
            let release: Release
            await actions.spool.take()
            switch try await actions.accept(push, update, target, environment) {
            case .release(let accepted, _): release = accepted
            case .duplicate(let earlier):
                let name = earlier.map { " as release \($0.number)" } ?? ""
                return text(head + LogLine.detail("this push was accepted before\(name)").text + "\n")
            case .live(let live):
                let lines: [LogLine] = [
                    .step("kinto: \(Store.alreadyLive(live)); nothing is deployed"),
                    .detail("deploy it again with: kinto deploy \(target.service) --force"),
                ]
                return text(head + lines.map { $0.text + "\n" }.joined())
            }
            head = LogLine.step("kinto: release \(release.number) of \(target)").text + "\n" + head
            let store = actions.store
            return .following(
                LogFollower(
                    path: actions.home.releaseLog(target, release.number), watch: actions.logs,
                    // What shows it to the person who pushed is not known: nothing but text.
                    text: LogText(times: false, isTerminal: false)),
                after: Array(head.utf8),
                view: PushView(
                    command: "kinto logs \(target.service) --release \(release.number) --build")
            ) {
                guard let done = try? await store.release(target, release.number), done.status != .deployed
                else { return [] }
                let command = "kinto why \(target.service) \(release.number)"
                return Array(
                    (LogLine.trouble("Release \(release.number): \(done.status.rawValue). More: \(command)")
                        .text + "\n").utf8)
            }
        } catch let failure as Failure {
            let lines: [LogLine] = [.trouble(failure.message)] + failure.hints.map { .detail($0.line) }
            return text(head + lines.map { $0.text + "\n" }.joined())
        }
    }

    private func check(_ push: PushRequest, _ target: Target, _ environment: RegisteredEnvironment)
        async throws -> Response
    {
        let (update, _) = push.plan(branch: environment.branch, environment: target.environment.description)
        guard let update, let service = try await actions.store.service(target.service) else {
            return text("")
        }
        let (path, settings) = (service.repository, service.settingsPath)
        let (quarantine, name) = (push.quarantine, target.environment.description)
        let verdict = try await actions.git.run {
            try ManifestReader.read(
                update.new, repository: GitRepository(opening: path, quarantine: quarantine), path: settings,
                environment: name)
        }
        guard case .failure(let failure) = verdict else { return text("") }
        let lines: [LogLine] =
            [.trouble(failure.message)] + failure.evidence.map { .detail($0) }
            + failure.hints.map { .detail($0.line) }
        return text(lines.map { $0.text + "\n" }.joined(), status: .unprocessableContent)
    }

    private func text(_ text: String, status: HTTPResponse.Status = .ok) -> Response {
        let lines = text.split(separator: "\n").map { Credentials.redacted(TerminalFilter.plain(String($0))) }
        return Response(
            status: status, headers: [.contentType: "text/plain; charset=utf-8"],
            body: .init(byteBuffer: ByteBuffer(string: lines.map { $0 + "\n" }.joined())))
    }
}

extension Actions {
    /// Makes a push of the tracked branch a release.
    func accept(
        _ push: PushRequest, _ update: PushRequest.Update, _ target: Target,
        _ environment: RegisteredEnvironment
    ) async throws -> Taken {
        var new = NewRelease(target: target, commit: update.new, branch: environment.branch, trigger: .push)
        new.noCache = push.noCache
        new.deduplication = push.identifier
        return try await take(new)
    }
}
