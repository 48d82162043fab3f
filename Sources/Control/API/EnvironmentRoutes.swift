// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import KintoCore

/// `/services/NAME/environments`: the places where a service runs.
struct EnvironmentRoutes: Sendable {
    let actions: Actions

    private struct Ask: Decodable {
        let environment: String?
        let branch: String?
        let autoDeploy: Bool?
        let protect: Bool?
    }

    private struct Promote: Decodable {
        let from, to: String?
        /// Says only what would be done.
        let dryRun: Bool?
    }

    private struct Promoted: Encodable {
        let release: ReleaseJSON?
        /// The number in the environment that it comes from.
        let promoted: Int
        let commits, differences: [String]
        let commitCount: Int
        let older: Bool

        init(_ plan: Actions.Promotion, _ release: Release?) {
            self.release = release.map(ReleaseJSON.init)
            promoted = plan.from.number
            commits = plan.commits
            commitCount = plan.commitCount
            differences = plan.differences
            older = plan.isOlder
        }
    }

    func add(to api: RouterGroup<APIServer.Context>) {
        let actions = actions
        api.post("/services/:name/promote") { request, context in
            let ask = try await request.decoded(Promote.self)
            guard let from = ask.from, let to = ask.to else {
                throw Failure(code: "malformed", "a promotion has two environments: 'from' and 'to'")
            }
            let service = try request.target(context).service
            let (source, target) = (try EnvironmentName(from), try EnvironmentName(to))
            context.note.about(Target(service: service, environment: target))
            if ask.dryRun == true {
                return try Promoted(await actions.promotion(service, from: source, to: target), nil).json()
            }
            let (release, plan) = try await actions.promote(
                service, from: source, to: target, by: context.by)
            context.note.say(release)
            return try Promoted(plan, release).json(.accepted)
        }
        let all = api.group("/services/:name/environments")
        all.get { request, context in
            try await actions.environments(of: request.target(context).service).json()
        }
        all.post { request, context in
            let ask = try await request.decoded(Ask.self)
            guard let name = ask.environment else {
                throw Failure(code: "malformed", "an environment has a name: 'environment'")
            }
            return try await actions.addEnvironment(
                request.target(context, environment: name), branch: ask.branch,
                autoDeploy: ask.autoDeploy ?? true, protect: ask.protect ?? false
            ).json(.created)
        }
        all.get(":environment") { request, context in
            try await actions.environment(target(request, context)).json()
        }
        all.patch(":environment") { request, context in
            let ask = try await request.decoded(Ask.self)
            return try await actions.changeEnvironment(
                target(request, context), branch: ask.branch, autoDeploy: ask.autoDeploy,
                protect: ask.protect
            ).json()
        }
        all.delete(":environment") { request, context in
            try await actions.removeEnvironment(target(request, context))
            return Response(status: .noContent)
        }
    }

    private func target(_ request: Request, _ context: APIServer.Context) throws -> Target {
        try request.target(context, environment: context.parameters.require("environment"))
    }
}
