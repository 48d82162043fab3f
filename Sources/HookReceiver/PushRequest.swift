// SPDX-License-Identifier: Apache-2.0
public import KintoCore
public import Wire

/// What a git hook reports of one push: all references of it at once.
public struct PushRequest: Sendable {
    public struct Update: Sendable, Equatable {
        public let old: CommitID
        public let new: CommitID
        public let reference: String
    }

    public let identifier: String
    public private(set) var updates: [Update]
    public let options: [String]
    public let quarantine: String?
    public let directory: String

    /// - Throws: `Failure` of code `malformed`.
    public init(_ fields: Fields) throws(Failure) {
        guard let identifier = fields["id"], identifier.utf8.count <= 64, !identifier.isEmpty else {
            throw Failure(code: "malformed", "the push has no id")
        }
        self.identifier = identifier
        options = fields.all("option")
        quarantine = fields["quarantine"]
        directory = fields["directory"] ?? ""
        var updates: [Update] = []
        for line in fields.all("update") {
            let parts = line.split(separator: " ", maxSplits: 2)
            guard parts.count == 3, let old = CommitID(String(parts[0])), let new = CommitID(String(parts[1]))
            else {
                throw Failure(code: "malformed", "a line of the push is not 'old new ref'")
            }
            updates.append(Update(old: old, new: new, reference: String(parts[2])))
        }
        self.updates = updates
    }

    /// A push may have thousands of references.
    private static let shownNotes = 20

    public var skips: Bool { options.contains("skip") }
    public var noCache: Bool { options.contains("no-cache") }

    /// References with whether they were removed: only those of a push that is not to deploy all that it could.
    public var changes: [(reference: String, isRemoved: Bool)] {
        let isPartial = skips || options.contains { $0.hasPrefix("env=") }
        return updates.filter { !isPartial || $0.new.isZero }.map { ($0.reference, $0.new.isZero) }
    }

    /// The push without what somebody else has decided on.
    public func without(_ references: Set<String>) -> PushRequest {
        var rest = self
        rest.updates.removeAll { references.contains($0.reference) }
        return rest
    }

    /// What a push asks for.
    public struct Plan: Sendable {
        /// Each environment at most once: of several references that fit it the last.
        public var deploys: [(environment: RegisteredEnvironment, update: Update)] = []
        /// Those that pushes do not deploy, see `RegisteredEnvironment.obstacle`.
        public var refused: [RegisteredEnvironment] = []
        /// One line for each reference that deploys nothing.
        public var notes: [String] = []
    }

    /// - Parameter environments: of the service, in order.
    public func plan(for environments: [RegisteredEnvironment]) -> Plan {
        var plan = Plan()
        let asked = Set(options.filter { $0.hasPrefix("env=") }.map { String($0.dropFirst("env=".count)) })
        let chosen = environments.filter {
            asked.isEmpty || asked.contains($0.target.environment.description)
        }
        for name in asked.sorted()
        where !environments.contains(where: { $0.target.environment.description == name }) {
            plan.notes.append("push option 'env': there is no environment '\(PushRequest.shown(name))'")
        }
        let patterns = chosen.map(\.pattern)
        for update in updates {
            let words = RefName.words(update.reference)
            let fitting = zip(chosen, patterns).filter { !$0.isOfFork && $1.matches(update.reference) }.map(
                \.0)
            if fitting.isEmpty {
                plan.notes.append(ignored(update, chosen))
            } else if update.new.isZero {
                plan.notes.append("\(words) was deleted; what runs stays")
            } else if skips {
                plan.notes.append("push option 'skip': \(words) is not deployed")
            } else {
                for environment in fitting { plan.put(update, environment) }
            }
        }
        if plan.notes.count > PushRequest.shownNotes {
            let more = plan.notes.count - PushRequest.shownNotes
            plan.notes.removeLast(more)
            plan.notes.append("and \(more) other refs that are not deployed")
        }
        for option in options where !["skip", "no-cache"].contains(option) && !option.hasPrefix("env=") {
            plan.notes.append("unknown push option '\(PushRequest.shown(option))'")
        }
        plan.refused = plan.deploys.map(\.environment).filter { $0.obstacle != nil }
        plan.deploys.removeAll { $0.environment.obstacle != nil }
        return plan
    }

    private func ignored(_ update: Update, _ environments: [RegisteredEnvironment]) -> String {
        let words = RefName.words(update.reference)
        guard !environments.isEmpty else { return "ignored \(words)" }
        var deployed = environments.prefix(5).map { "\($0.target.environment) deploys \($0.pattern.words)" }
        if environments.count > deployed.count { deployed.append("…") }
        var note = "ignored \(words): \(deployed.joined(separator: ", "))"
        if environments.count == 1, let only = environments.first, only.pattern.isExact, !only.pattern.isTag,
            update.reference.hasPrefix("refs/heads/"), !update.new.isZero
        {
            note += "; to deploy this: git push kinto \(RefName.short(update.reference)):\(only.branch)"
        }
        return note
    }

    private static func shown(_ text: String) -> String {
        text.unicodeScalars.prefix(60).map { $0.escaped(asASCII: true) }.joined()
    }
}

extension PushRequest.Plan {
    fileprivate mutating func put(_ update: PushRequest.Update, _ environment: RegisteredEnvironment) {
        if let index = deploys.firstIndex(where: { $0.environment.target == environment.target }) {
            let earlier = RefName.words(deploys[index].update.reference)
            notes.append(
                "ignored \(earlier): \(environment.target.environment) deploys one ref of a push, the last that fits"
            )
            deploys[index].update = update
        } else {
            deploys.append((environment, update))
        }
    }
}
