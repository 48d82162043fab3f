// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Rollout
internal import Runner
internal import Wire

/// What something waits for, since when, and when it is over at the latest.
struct Wait: Encodable, Sendable {
    let on: String
    let since: String?
    /// nil: until something else is over, or until somebody says so.
    let until: String?

    init(_ on: String, since: Timestamp? = nil, until: Timestamp? = nil) {
        self.on = on
        self.since = since?.rfc3339
        self.until = until?.rfc3339
    }
}

extension Actions {
    /// What is on its way in a target, or should be.
    func waits(_ target: Target, _ open: [Release]) async -> [Wait] {
        var waits: [Wait] = []
        let steps = await deadlines.all.filter { $0.target == target }
        let slots = await deployment.waits
        for release in open {
            if let slot = slots.first(where: { $0.target == target && $0.number == release.number }) {
                waits.append(Wait("release \(release.number) waits for \(slot.on)", since: slot.since))
            } else if release.status == .deploying {
                let step = steps.first { $0.number == release.number }
                let slow = await slowness(step, release)
                waits.append(
                    Wait(
                        "release \(release.number) is at \(release.stage?.rawValue ?? "its start")\(slow)",
                        since: step?.since, until: step?.until))
            } else if !release.instances.isEmpty {
                waits.append(
                    Wait(
                        "release \(release.number) waits for the end of what an earlier server started of it")
                )
            } else if let first = open.first, first.id != release.id {
                waits.append(
                    Wait(
                        "release \(release.number) waits for release \(first.number)",
                        since: release.createdAt))
            } else {
                waits.append(Wait("release \(release.number) is about to begin", since: release.createdAt))
            }
        }
        if let trouble = await deployment.restorer.trouble(target) {
            waits.append(
                Wait(
                    "release \(trouble.release) could not be started again (\(trouble.failure.message)); it is tried again",
                    until: trouble.next))
        }
        return waits
    }

    /// `: for 4m10s, usually 38s`; empty for a step that takes no longer than usual.
    private func slowness(_ step: Deadlines.Step?, _ release: Release) async -> String {
        guard let step,
            let usual = try? await store.stageTimes(release.target, before: release.number).usual()[
                step.stage.rawValue]
        else { return "" }
        let time = Double(Timestamp.now.milliseconds - step.since.milliseconds)
        guard StageTimes.isSlow(time, usual: usual) else { return "" }
        return ": for \(StageTimes.words(time)), usually \(StageTimes.words(usual))"
    }

    /// What only a time, or an operator, puts an end to.
    func rests(_ environment: RegisteredEnvironment, _ live: Release?) async -> [Wait] {
        var waits: [Wait] = []
        if let watch = live?.watch, let live, watch.until > .now {
            waits.append(Wait("release \(live.number) is watched", since: live.liveAt, until: watch.until))
        }
        for release in await keeper.warm(environment.target) {
            waits.append(Wait("release \(release.number) is kept warm", until: release.warmUntil))
        }
        if environment.paused {
            waits.append(Wait("requests wait: kinto resume \(environment.target.words) lets them in"))
        }
        return waits
    }

    /// Steps of deploys that are over their time, and what is tried again: for `kinto doctor`.
    func examineWaits() async throws -> Finding {
        let late = await deadlines.all.filter { $0.until < .now }
        guard late.isEmpty else {
            let names = late.map {
                "\($0.target)/\($0.number) at \($0.stage.rawValue) since \($0.since.rfc3339)"
            }
            return Finding(
                "waits", "over their time: \(names.joined(separator: ", "))", isWell: false,
                fix: "kinto abort NAME")
        }
        let open = try await store.openReleases()
        let deploying = open.count { $0.status == .deploying }
        return Finding(
            "waits", "\(deploying) deploying, \(open.count - deploying) queued, none over its time")
    }
}
