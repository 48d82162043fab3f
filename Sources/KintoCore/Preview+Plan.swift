// SPDX-License-Identifier: Apache-2.0
public import Wire

extension Preview {
    /// What an event of a pull request does with the previews of a service. What is in a fork would run with this server's
    /// rights: it has to be allowed.
    /// - Parameters:
    ///   - number: the forge's.
    ///   - reference: of the branch that is to be merged, in full; a stranger's is that of the forge, see ``PullReference``.
    ///   - stranger: where it is from, `from a fork (mallory/app)`; nil: from a branch of the repository itself.
    ///   - isClosed: also when it was merged.
    public static func plan(
        pullRequest number: Int, _ reference: String, from stranger: String? = nil, isClosed: Bool,
        _ service: RegisteredService,
        _ environments: [RegisteredEnvironment], now: Timestamp = .now
    ) -> Plan {
        var plan = Plan()
        let subject = "pull request \(number)"
        let own = environments.first { $0.previewUntil != nil && RefName.full($0.branch) == reference }
        func nothing(_ why: String) -> Plan {
            plan.done = [reference]
            plan.notes = ["\(subject) \(why)"]
            return plan
        }
        if isClosed, let own {
            plan.end(own, "\(subject) was closed")
            return plan
        }
        if let rule = service.previews, !rule.takesPullRequests {
            return nothing(
                "deploys nothing: previews of \(service.name) are of \(rule.words) (\(command(service.name)))"
            )
        }
        guard !isClosed else { return nothing("was closed: it has no preview") }
        if let stranger, let rule = service.previews, !rule.forks {
            return nothing(
                "is \(stranger): its code would run with this server's rights; to allow: kinto service set \(service.name) --preview-forks on"
            )
        }
        if let own, stranger == nil || service.previews != nil {
            if service.previews != nil { plan.renewed = [own.target] }
            return plan
        }
        guard let rule = service.previews else {
            return nothing("deploys nothing: \(service.name) has no previews (\(command(service.name)))")
        }
        let branch = RefName.short(reference)
        if let other = environments.first(where: { $0.previewUntil == nil && $0.pattern.matches(reference) })
        {
            return nothing(
                "gets no preview: \(other.target) deploys \(RefName.words(shown(branch))) anyway")
        }
        plan.open(branch, rule, service, environments, now)
        guard plan.opened.isEmpty else { return plan }
        plan.done = [reference]
        if plan.notes.isEmpty { return nothing("gets no preview: '\(shown(branch))' is no branch's name") }
        return plan
    }

    private static func command(_ service: ServiceName) -> String {
        "kinto service set \(service) --preview \(PreviewRule.pullRequests)"
    }
}

extension Preview.Plan {
    mutating func end(_ preview: RegisteredEnvironment, _ why: String) {
        ended.append(preview)
        done.insert(RefName.full(preview.branch))
        notes.append("\(why): its preview \(preview.target) ends")
    }

    mutating func open(
        _ branch: String, _ rule: PreviewRule, _ service: RegisteredService,
        _ environments: [RegisteredEnvironment], _ now: Timestamp
    ) {
        // A sender may say anything: what is no branch's name would be a pattern of others.
        let isFork = PullReference.number(branch) != nil
        guard isFork || (try? RefPattern(branch))?.isExact == true else { return }
        let ending = Set(ended.map(\.target))
        let there = environments.filter { $0.previewUntil != nil && !ending.contains($0.target) }.count
        guard there + opened.count < rule.most else {
            notes.append(
                "\(RefName.words(Preview.shown(branch))) gets no preview: \(service.name) has \(rule.most) already; remove one (kinto environment remove \(service.name) ENV), or allow more (kinto service set \(service.name) --preview-most N)"
            )
            return
        }
        let taken = Set((environments + opened).map(\.target.environment))
        guard let name = Preview.name(of: branch, service: service.name, unless: taken.contains) else {
            notes.append(
                "\(RefName.words(Preview.shown(branch))) gets no preview: no host name is left for it")
            return
        }
        opened.append(
            RegisteredEnvironment(
                target: Target(service: service.name, environment: name), branch: branch,
                previewUntil: rule.end(after: now)))
    }
}
