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
        router.add(.post, "/hook/:name/post-receive", .admin) { request, context in
            let (push, service) = try await read(request, context)
            return try await received(push, service, by: context.by)
        }
        router.add(.post, "/hook/:name/pre-receive", .admin) { request, context in
            let (push, service) = try await read(request, context)
            return try await check(push, service)
        }
    }

    private func read(_ request: Request, _ context: APIServer.Context) async throws -> (
        PushRequest, RegisteredService
    ) {
        let body = try await request.body.collect(upTo: 17 << 20)
        try Fault.bodyRead.reach()
        let push = try PushRequest(Fields(decoding: Array(body.readableBytesView)))
        let name = try request.target(context).service
        guard let service = try await actions.store.service(everCalled: name) else {
            throw Failure(code: "unknown-service", "kinto has no service '\(name)'")
        }
        return (push, service)
    }

    private func received(_ push: PushRequest, _ service: RegisteredService, by: String?) async throws
        -> Response
    {
        var notes: [LogLine] = []
        do {
            let accepted = try await actions.decide(for: service.name) { environments in
                let previewed = try await actions.previewed(service, environments, push.changes)
                let plan = push.without(previewed.done).plan(for: previewed.environments)
                notes = (previewed.notes + plan.notes).map { LogLine.detail($0) }
                for case let obstacle? in plan.refused.map(\.obstacle) {
                    notes += [.trouble(obstacle.reason), .detail(obstacle.way.line)]
                }
                if !plan.deploys.isEmpty { await actions.spool.take() }
                return try await actions.accept(push, plan, service, by: by)
            }
            notes += accepted.notes.map { LogLine.detail($0) }
            var head: [LogLine] = []
            var followed: [Release] = []
            for (target, taken) in accepted.taken {
                switch taken {
                case .release(let release, _):
                    head.append(.step("kinto: release \(release.number) of \(target)"))
                    followed.append(release)
                case .duplicate(let earlier):
                    let name = earlier.map { " as release \($0.number) of \(target)" } ?? ""
                    notes.append(.detail("this push was accepted before\(name)"))
                case .live(let live):
                    let words = Store.alreadyLive(live, isNamed: accepted.taken.count > 1)
                    head += [
                        .step("kinto: \(words); nothing is deployed"),
                        .detail("deploy it again with: kinto deploy \(target.words) --force"),
                    ]
                }
            }
            let text = text(head + notes)
            return followed.isEmpty ? answer(text) : .following(followed.map(log), after: Array(text.utf8))
        } catch let failure as Failure {
            return answer(
                text(notes + [.trouble(failure.message)] + failure.hints.map { .detail($0.line) }))
        }
    }

    /// What who pushed sees of a release: its log, to its end.
    private func log(_ release: Release) -> Response.Followed {
        let (store, target) = (actions.store, release.target)
        return Response.Followed(
            log: LogFollower(
                path: actions.home.releaseLog(target, release.number), watch: actions.logs,
                // What shows it to the person who pushed is not known: nothing but text.
                text: LogText(times: false, isTerminal: false)),
            view: PushView(command: "kinto logs \(target.words) --release \(release.number) --build")
        ) {
            guard let done = try? await store.release(target, release.number), done.status != .deployed
            else { return [] }
            let command = "kinto why \(target.words) \(release.number)"
            return Array(
                (LogLine.trouble("Release \(release.number): \(done.status.rawValue). More: \(command)")
                    .text + "\n").utf8)
        }
    }

    private func check(_ push: PushRequest, _ service: RegisteredService) async throws -> Response {
        let environments = try await actions.store.environments(of: service.name)
        let previews = Preview.plan(service, environments, push.changes).opened
        let plan = push.plan(for: environments + previews)
        let (path, settings, quarantine) = (service.repository, service.settingsPath, push.quarantine)
        let deploys = plan.deploys.map { ($0.environment.target.environment.description, $0.update) }
        let failure = try await actions.git.run { () throws -> Failure? in
            guard !deploys.isEmpty else { return nil }
            let repository = try GitRepository(opening: path, quarantine: quarantine)
            for (name, update) in deploys {
                // A tag that leads to no commit deploys nothing.
                guard let commit = try repository.resolve(update.new.description) else { continue }
                let verdict = try ManifestReader.read(
                    commit, repository: repository, path: settings, environment: name)
                if case .failure(let failure) = verdict { return failure }
            }
            return nil
        }
        guard let failure else { return answer("") }
        let lines: [LogLine] =
            [.trouble(failure.message)] + failure.evidence.map { .detail($0) }
            + failure.hints.map { .detail($0.line) }
        return answer(text(lines), status: .unprocessableContent)
    }

    private func text(_ lines: [LogLine]) -> String {
        lines.flatMap { $0.text.split(separator: "\n") }
            .map { Credentials.redacted(TerminalFilter.plain(String($0))) + "\n" }.joined()
    }

    private func answer(_ text: String, status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: "text/plain; charset=utf-8"],
            body: .init(byteBuffer: ByteBuffer(string: text)))
    }
}

extension Actions {
    /// Makes a push a release of each environment that it deploys: of all of them, or of none.
    /// - Parameter by: the account that pushed; nil: not known.
    /// - Returns: notes about tags that lead to no commit.
    func accept(
        _ push: PushRequest, _ plan: PushRequest.Plan, _ service: RegisteredService, by: String?
    ) async throws -> (taken: [(target: Target, taken: Taken)], notes: [String]) {
        guard !plan.deploys.isEmpty else { return ([], []) }
        let updates = plan.deploys.map(\.update)
        let commits = try await git.run { () throws -> [CommitID?] in
            guard updates.contains(where: { RefName.isTag($0.reference) }) else { return updates.map(\.new) }
            let repository = try GitRepository(opening: service.repository)
            return try updates.map {
                RefName.isTag($0.reference) ? try repository.resolve($0.new.description) : $0.new
            }
        }
        var news: [NewRelease] = []
        var notes: [String] = []
        for (deploy, commit) in zip(plan.deploys, commits) {
            guard let commit else {
                notes.append(
                    "\(RefName.words(deploy.update.reference)) leads to no commit: nothing is deployed")
                continue
            }
            var new = NewRelease(
                target: deploy.environment.target, commit: commit,
                branch: RefName.short(deploy.update.reference), trigger: .push)
            new.noCache = push.noCache
            new.identify(by: push.identifier)
            new.by = by
            new.audit = .trigger(
                by ?? "unknown", .hook, of: new.target, "push of \(new.branch) at \(commit.short)")
            news.append(new)
        }
        guard !news.isEmpty else { return ([], notes) }
        Fault.decided.pass()
        return (Array(zip(news.map(\.target), try await take(news))), notes)
    }
}
