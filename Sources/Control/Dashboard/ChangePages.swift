// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import KintoCore

/// What brings another release: a deploy, a promotion, a rollback. Each has a page that shows what would change, and does it when it
/// is confirmed there.
struct ChangePages: Sendable {
    let dashboard: Dashboard

    private var actions: Actions { dashboard.actions }

    func add(to router: NotedRouter) {
        dashboard.get(router, "/services/:name/:environment/deploy", .deployer) { try await askDeploy($0) }
        dashboard.post(
            router, "/services/:name/:environment/deploy", .like("POST", "/services/{name}/deploy")
        ) { try await deploy($0) }
        dashboard.get(router, "/services/:name/:environment/promote", .deployer) {
            try await askPromotion($0)
        }
        dashboard.post(
            router, "/services/:name/:environment/promote", .like("POST", "/services/{name}/promote")
        ) { try await promote($0) }
        dashboard.get(router, "/services/:name/:environment/rollback", .deployer) {
            try await askRollback($0)
        }
        dashboard.post(
            router, "/services/:name/:environment/rollback", .like("POST", "/services/{name}/rollback")
        ) { visit in
            let number = visit.form["number"].flatMap(Dashboard.Visit.number)
            let (release, _) = try await actions.rollback(
                visit.target(), to: number, currentConfig: visit.isChecked("current"), by: visit.by)
            visit.context.note.say(release)
            return dashboard.redirect(ReleaseView(release: release).path)
        }
    }

    // MARK: Deploy

    private func deploy(_ visit: Dashboard.Visit) async throws -> Response {
        let target = try visit.target()
        let wish = DeployWish(
            ref: visit.form["ref"].flatMap { $0.isEmpty ? nil : $0 }, noCache: visit.isChecked("no-cache"),
            force: visit.isChecked("force"), confirmation: visit.form["confirm"], by: visit.by)
        let taken = try await actions.deploy(target, wish)
        visit.context.note.say(taken)
        switch taken {
        case .release(let release, _): return dashboard.redirect(ReleaseView(release: release).path)
        case .live(let release):
            return dashboard.redirect(ReleaseView(release: release).path + "?deployed=already")
        case .duplicate: return dashboard.redirect(ReleaseView.path(target))
        }
    }

    private func askDeploy(_ visit: Dashboard.Visit) async throws -> Response {
        var (environment, view) = try await dashboard.place(visit, nil)
        let target = environment.target
        let asked = visit.asked
        let live = try await actions.store.live(target)
        let difference = try await actions.waiting(for: environment, since: live)
        view.merge([
            "title": "Deploy \(target)", "name": "\(target)", "pattern": environment.pattern.words,
            "protected": environment.isProtected, "ref": asked["ref"] ?? "",
            "noCache": asked["no-cache"] == "1", "force": asked["force"] == "1",
            "live": live.map { ReleaseView(release: $0).values } ?? false as Any,
            "history": difference.map { CommitsView(difference: $0).values } ?? false as Any,
        ]) { $1 }
        return try dashboard.page("deploy", view, visit)
    }

    // MARK: Promotion

    private func askPromotion(_ visit: Dashboard.Visit) async throws -> Response {
        let asked = visit.asked["to"]
        return try await showPromotion(visit, to: asked)
    }

    private func promote(_ visit: Dashboard.Visit) async throws -> Response {
        let target = try visit.target()
        let to = try EnvironmentName(visit.form["to"] ?? "")
        visit.context.note.about(Target(service: target.service, environment: to))
        visit.context.note.say("from \(target.environment)")
        let plan = try await actions.promotion(target.service, from: target.environment, to: to)
        // What was shown is what is done.
        guard visit.form["number"] == "\(plan.from.number)", visit.form["over"] == over(plan, to) else {
            visit.context.note.end("changed-meanwhile")
            return try await showPromotion(visit, to: "\(to)", changed: true)
        }
        let (release, _) = try await actions.promote(
            target.service, from: target.environment, to: to, by: visit.by)
        visit.context.note.say(release)
        return dashboard.redirect(ReleaseView(release: release).path)
    }

    /// What is live where it goes, as the form carries it.
    private func over(_ plan: Actions.Promotion, _ to: EnvironmentName) -> String {
        plan.over.map { "\($0.number)" } ?? "nothing"
    }

    private func showPromotion(_ visit: Dashboard.Visit, to asked: String?, changed: Bool = false)
        async throws -> Response
    {
        var (environment, view) = try await dashboard.place(visit, nil)
        let from = environment.target
        let others = try await actions.store.environments(of: from.service).map(\.target.environment).filter {
            $0 != from.environment
        }
        view.merge([
            "title": "Promote \(from)", "name": "\(from.service)", "from": "\(from.environment)",
            "changed": changed, "plan": false,
            "others": others.map { other -> [String: Any] in
                ["environment": "\(other)", "chosen": "\(other)" == asked]
            }, "hasOthers": !others.isEmpty, "several": others.count > 1,
        ]) { $1 }
        if let to = try asked.map({ try EnvironmentName($0) }) ?? (others.count == 1 ? others.first : nil) {
            let plan = try await actions.promotion(from.service, from: from.environment, to: to)
            view["plan"] =
                [
                    "to": "\(to)", "number": plan.from.number, "over": over(plan, to),
                    "brings": ReleaseView(release: plan.from).values,
                    "live": plan.over.map { ReleaseView(release: $0).values } ?? false as Any,
                    "older": plan.isOlder, "commits": plan.commits, "hasCommits": !plan.commits.isEmpty,
                    "more": more(plan.commitCount, plan.commits.count),
                    "count": CommitsView.count(plan.commitCount),
                    "differences": plan.differences, "hasDifferences": !plan.differences.isEmpty,
                ] as [String: Any]
        }
        return try dashboard.page("promote", view, visit, status: changed ? .conflict : .ok)
    }

    private func more(_ all: Int, _ shown: Int) -> Any { all > shown ? all - shown : false as Any }

    // MARK: Rollback

    private func askRollback(_ visit: Dashboard.Visit) async throws -> Response {
        var (environment, view) = try await dashboard.place(visit, nil)
        let target = environment.target
        let number = visit.number("to")
        let plan = try await actions.rollbackPlan(target, to: number, currentConfig: false)
        let today = try await actions.rollbackPlan(
            target, to: plan.chosen.number, currentConfig: true
        ).difference
        let history = await actions.difference(
            of: target.service, from: plan.live?.commit, to: plan.chosen.commit)
        view.merge([
            "title": "Roll back \(target.service)", "name": "\(target.service)",
            "environment": "\(target.environment)", "production": target.environment == .production,
            "chosen": ReleaseView(release: plan.chosen).values, "number": plan.chosen.number,
            "live": plan.live.map { ReleaseView(release: $0).values } ?? false as Any,
            "available": plan.chosen.artifact?.available == true,
            "hasDifference": !plan.difference.isEmpty, "difference": plan.difference,
            "hasToday": !today.isEmpty, "today": today, "same": plan.difference == today,
            "history": history.map { CommitsView(difference: $0).values } ?? false as Any,
            "sameCommit": plan.live != nil && plan.live?.commit == plan.chosen.commit,
        ]) { $1 }
        return try dashboard.page("rollback", view, visit)
    }
}
