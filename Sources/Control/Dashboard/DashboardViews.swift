// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Wire

/// A release in the words and paths of the pages.
struct ReleaseView {
    let release: Release

    static func path(_ target: Target) -> String { "/services/\(target.service)/\(target.environment)" }
    var path: String { "\(ReleaseView.path(release.target))/releases/\(release.number)" }

    private static let steps = ["queue"] + Stage.allCases.map(\.rawValue)

    private var words: (status: String, tone: String) {
        switch release.status {
        case .queued: ("Queued", "busy")
        case .deploying: ("Deploying", "busy")
        case .deployed: release.live ? ("Live", "ok") : ("Deployed", "")
        case .failed: ("Failed", "bad")
        case .aborted: ("Aborted", "")
        case .superseded: ("Superseded", "")
        }
    }

    var values: [String: Any] {
        var view: [String: Any] = [
            "path": path, "number": release.number, "status": words.status, "tone": words.tone,
            "id": release.commit?.description ?? "",
            "commit": release.commit.map { String($0.description.prefix(7)) } ?? "–",
            "subject": release.subject, "author": release.author, "branch": release.branch,
            "trigger": trigger, "by": release.by ?? false as Any, "abort": false, "rollback": false,
            "failure": false,
            "swap": release.swap.map { $0.description } ?? false as Any,
            "stage": release.status == .deploying ? release.stage?.rawValue ?? "start" : false as Any,
        ]
        view.merge(Moment(release.createdAt).values) { $1 }
        view.merge(timeline) { $1 }
        let place = ReleaseView.path(release.target)
        if !release.status.isFinal, release.liveAt == nil { view["abort"] = "\(path)/abort" }
        if release.isProven, !release.live, release.artifact?.available == true {
            view["rollback"] = "\(place)/rollback?to=\(release.number)"
        }
        return view
    }

    private var trigger: String {
        if let number = release.rollbackOf { return "rollback of \(number)" }
        if let number = release.supersededBy { return "\(release.trigger.rawValue), superseded by \(number)" }
        return release.trigger.rawValue
    }

    /// Bars in a box of 120, each at least as wide as can be seen.
    private var timeline: [String: Any] {
        let parts = ReleaseView.steps.compactMap { step in
            release.timings[step].flatMap { $0 > 0 ? (step: step, time: $0) : nil }
        }
        let sum = parts.reduce(0) { $0 + $1.time }
        guard sum > 0, sum.isFinite else { return ["hasTimes": false] }
        let free = 120 - 2.0 * Double(parts.count)
        var x = 0.0
        let bars: [[String: Any]] = parts.map { part in
            let width = 2 + free * part.time / sum
            defer { x += width }
            return ["kind": part.step, "x": ReleaseView.tenth(x), "width": ReleaseView.tenth(width)]
        }
        return [
            "hasTimes": true, "bars": bars, "took": Moment.length(sum),
            "spoken": parts.map { "\($0.step) \(Moment.length($0.time))" }.joined(separator: ", "),
        ]
    }

    private static func tenth(_ value: Double) -> Double { (value * 10).rounded() / 10 }

    /// What was done, is done, and is to come.
    /// - Parameter usual: milliseconds by stage; those that took much longer say so.
    func stages(usual: [String: Double] = [:]) -> [[String: Any]] {
        let at = release.failure?.stage ?? release.stage
        return Stage.allCases.map { stage in
            let time = release.timings[stage.rawValue]
            let (kind, word) =
                switch true {
                case release.status == .failed && at == stage: ("failed", "failed")
                case !release.status.isFinal && release.stage == stage: ("now", "in progress")
                case time != nil: ("done", "done")
                default: ("", "not reached")
                }
            return [
                "stage": stage.rawValue, "kind": kind, "word": word,
                "time": time.map(Moment.length) ?? (kind == "now" ? "…" : "–"),
                "usual": usual[stage.rawValue].flatMap { usual in
                    time.map { StageTimes.isSlow($0, usual: usual) } == true ? Moment.length(usual) : nil
                } ?? false as Any,
            ]
        }
    }
}

/// A failure with its next steps; those that a page can do have a link.
struct FailureView {
    let failure: Failure
    /// nil: links are left out.
    var target: Target?
    /// Of who sees it; nil: nobody who may go anywhere.
    var role: Role?

    init(_ failure: Failure, _ target: Target? = nil, _ role: Role? = nil) {
        self.failure = failure
        self.target = target
        self.role = role
    }

    /// A warning, which has the same parts.
    init(_ warning: Warning, _ target: Target, _ role: Role?) {
        self.init(
            Failure(
                code: warning.code, warning.message, evidence: warning.evidence,
                hints: warning.hint.map { [$0] } ?? []), target, role)
    }

    var values: [String: Any] {
        [
            "message": failure.message, "code": failure.code, "evidence": failure.evidence,
            "cause": failure.cause.map { "Cause: \($0.message)" } ?? failure.unknown ?? false as Any,
            "causeCode": failure.cause?.code ?? false as Any,
            "hasEvidence": !failure.evidence.isEmpty, "hasHints": !failure.hints.isEmpty,
            "failedAt": failure.stage?.rawValue ?? false as Any,
            "hints": failure.hints.map { hint -> [String: Any] in
                let action = target.flatMap { target in hint.command.flatMap { HintAction($0, at: target) } }
                let link = action.flatMap { action in
                    role.flatMap { $0 >= action.role ? action : nil }
                }
                return [
                    "text": hint.text, "command": hint.command ?? false as Any,
                    "link": link?.path ?? false as Any, "label": link?.label ?? "",
                ]
            },
        ]
    }
}

/// A time as people say it.
struct Moment {
    let at: Timestamp

    init(_ at: Timestamp) { self.at = at }

    var values: [String: Any] {
        let seconds = max(0, (Timestamp.now.milliseconds - at.milliseconds) / 1000)
        let ago =
            switch seconds {
            case ..<60: "\(seconds) s ago"
            case ..<3600: "\(seconds / 60) min ago"
            case ..<86_400: "\(seconds / 3600) h ago"
            default: "\(seconds / 86_400) d ago"
            }
        return ["iso": at.rfc3339, "ago": ago]
    }

    /// - Parameter milliseconds: not negative.
    static func length(_ milliseconds: Double) -> String {
        switch milliseconds {
        case ..<1000: "\(Int(milliseconds.rounded())) ms"
        case ..<60_000: "\((milliseconds / 100).rounded() / 10) s"
        case ..<1e12: "\(Int(milliseconds / 60_000)) min \(Int(milliseconds / 1000) % 60) s"
        default: "–"
        }
    }
}
