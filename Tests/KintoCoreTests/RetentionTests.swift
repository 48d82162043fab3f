// SPDX-License-Identifier: Apache-2.0
import Foundation
import KintoCore
import TestSupport
import Testing
import Wire

/// What may go, by the record alone.
struct RetentionTests {
    private let now = Timestamp(milliseconds: 1_800_000_000_000)

    /// A day between two releases; the last is live.
    private func history(_ count: Int, service: String = "hello") throws -> [Release] {
        try (1...count).map { number in
            let at = Timestamp(
                milliseconds: now.milliseconds - Int64(count - number + 1) * Int64(RetentionSettings.day))
            var release = Release(
                id: Int64(number), target: Target(service: try ServiceName(service)), number: number,
                status: .deployed, commit: nil, branch: "main", trigger: .push, createdAt: at)
            release.liveAt = at
            release.finishedAt = at
            release.live = number == count
            release.artifact = .init(identifier: "a\(number)", sha256: "", bytes: 100)
            return release
        }
    }

    private func doomed(
        _ releases: [Release], pinned: Set<Int64> = [], _ settings: String..., isAsked: Bool = false
    ) throws -> [String] {
        RetentionPlan(
            releases, pinned: pinned, settings: try RetentionSettings(settings), now: now, isAsked: isAsked
        ).artifacts.map(\.identifier)
    }

    @Test func theNewestThatWereLiveAreKeptBesideTheLiveOne() throws {
        #expect(try doomed(history(14)) == ["a1", "a2", "a3"])
        #expect(try doomed(history(6), "artifacts=2") == ["a1", "a2", "a3"])
        #expect(try doomed(history(3), "artifacts=1", "artifact-bytes=0B", "artifact-age=1m") == ["a1"])
    }

    @Test func whatIsLiveWarmPinnedUnderWayOrComesBackStays() throws {
        var releases = try history(9)
        releases[0].warmUntil = Timestamp(milliseconds: now.milliseconds + 1000)
        releases[1].instances = [
            Instance(
                identifier: "i", name: "web.1", port: 1, supervisor: .init(pid: 1, startTicks: 1, boot: "b"),
                statePath: "", startedAt: now)
        ]
        // A rollback to the third is queued, with its artifact.
        var rollback = releases[8]
        rollback.id = 10
        rollback.number = 10
        rollback.live = false
        rollback.status = .queued
        rollback.rollbackOf = 3
        rollback.artifact = releases[2].artifact
        rollback.liveAt = nil
        releases.append(rollback)
        // The live one is watched, and the fourth would come back.
        releases[8].watch = .init(
            until: Timestamp(milliseconds: now.milliseconds + 1000), previous: 4, baseline: 0)
        #expect(
            try doomed(
                releases, pinned: [5], "artifacts=1", "artifact-bytes=0B", "artifact-age=1m", isAsked: true)
                == ["a6", "a7"])
    }

    @Test func anArtifactGoesWithTheLastReleaseThatHasIt() throws {
        var releases = try history(6)
        for index in [1, 3, 4] { releases[index].artifact?.identifier = "shared" }
        // In another environment, where it is live.
        var other = try history(1, service: "other")[0]
        other.id = 20
        other.artifact?.identifier = "a1"
        #expect(try doomed(releases + [other], "artifacts=1") == ["a3"])
    }

    @Test func ofFailedOnesFewAreKeptAndNoneInTheirPlace() throws {
        var releases = try history(8)
        for index in 3...6 {
            releases[index].status = .failed
            releases[index].liveAt = nil
        }
        #expect(try doomed(releases, "artifacts=2") == ["a1", "a4", "a5"])
    }

    @Test func whatWasJustUsedStaysByItselfAndGoesWhenAsked() throws {
        var releases = try history(5)
        releases[0].finishedAt = now
        #expect(try doomed(releases, "artifacts=1") == ["a2", "a3"])
        #expect(try doomed(releases, "artifacts=1", isAsked: true) == ["a1", "a2", "a3"])
    }

    @Test func bytesOfAllServicesAreBoundedOldestFirst() throws {
        let one = try history(4)
        let two = try history(4, service: "two").map { release in
            var release = release
            release.id += 10
            release.artifact?.identifier = "b\(release.number)"
            return release
        }
        #expect(try doomed(one + two, "artifact-bytes=650B") == ["a1", "a2"])
        #expect(try doomed(one + two, "artifact-bytes=0B") == ["a1", "a2", "b1", "b2"])
    }

    @Test("Scenario 17: a wrong clock takes neither what is live nor the way back nor the last logs")
    func aWrongClockTakesNeitherTheLiveOneNorTheWayBackNorTheLastLogs() throws {
        let releases = try history(30)
        for jump in [-3650, 3650] {
            let wrong = Timestamp(
                milliseconds: now.milliseconds + Int64(jump) * Int64(RetentionSettings.day))
            let plan = RetentionPlan(
                releases, pinned: [], settings: try RetentionSettings(["artifact-age=30d"]), now: wrong)
            let left = Set(releases.compactMap(\.artifact?.identifier)).subtracting(
                plan.artifacts.map(\.identifier))
            #expect(left.isSuperset(of: ["a29", "a30"]))
            #expect(plan.held.isSuperset(of: ["hello/production/30", "hello/production/29"]))
            let ages = (1...30).map { ($0, Int64(jump) * Int64(RetentionSettings.day)) }
            #expect(
                RetentionPlan.logs(ages, held: [3], settings: RetentionSettings()).allSatisfy {
                    $0 <= 20 && $0 != 3
                })
        }
    }

    @Test(arguments: [
        "artifacts", "artifacts=0", "artifacts=-1", "artifacts=x", "nothing=1", "log-age=5", "log-age=1s",
        "cache-bytes=1", "=", "artifacts=99999999999999999999",
    ])
    func whatIsNoSettingIsToldWithWhatThereIs(_ text: String) {
        #expect(throws: MalformedSetting.self) { try RetentionSettings([text]) }
    }

    @Test func hugeSettingsAreNoBound() throws {
        #expect(try RetentionSettings(["artifact-bytes=999999999GiB"]).artifactBytes == 999_999_999 << 30)
        #expect(try RetentionSettings(["artifact-age=none"]).artifactAge == .max)
    }

    @Test func logsAreBoundedByNumber() throws {
        let logs = (1...8).map { (number: $0, age: Int64(0)) }
        #expect(RetentionPlan.logs(logs, held: [1], settings: try RetentionSettings(["logs=5"])) == [3, 2])
    }

    /// The history is bounded; what serves, is pinned or can come back stays in it.
    @Test func theOldestReleasesLeaveTheHistory() async throws {
        try await TemporaryDirectory.with { directory in
            let store = try Store(path: "\(directory)/kinto.db")
            let target = Target(service: try ServiceName("hello"))
            try await store.add(
                RegisteredService(
                    name: target.service, source: .hosted, repository: "/x", createdAt: .now,
                    webhookSecret: "s"),
                branch: "main")
            for number in 1...20 {
                let release = try await store.acceptRelease(
                    NewRelease(target: target, commit: nil, branch: "main", trigger: .rollback))
                try await store.update(release.id, step: "claimed") {
                    $0.status = .deployed
                    $0.live = number == 2
                    if number == 3 { $0.artifact = .init(identifier: "a", sha256: "", bytes: 1) }
                }
            }
            let beyond = try await store.releasesBeyond(10)
            #expect(beyond.map(\.number) == [1] + Array(3...10))
            #expect(try await store.forget(beyond).count == 8)
            #expect(try await store.releases(target).map(\.number) == Array((11...20).reversed()) + [3, 2])
            #expect(
                try await store.acceptRelease(
                    NewRelease(target: target, commit: nil, branch: "main", trigger: .manual)
                ).number == 21)
            #expect(try await store.forgetRecords(before: .now) == 0)
        }
    }

    @Test func anArtifactThatARollbackHasComeToNeedIsNotGivenUp() async throws {
        try await TemporaryDirectory.with { directory in
            let store = try Store(path: "\(directory)/kinto.db")
            let target = Target(service: try ServiceName("hello"))
            try await store.add(
                RegisteredService(
                    name: target.service, source: .hosted, repository: "/x", createdAt: .now,
                    webhookSecret: "s"),
                branch: "main")
            var new = NewRelease(target: target, commit: nil, branch: "main", trigger: .manual)
            let first = try await store.acceptRelease(new)
            try await store.update(first.id) {
                $0.status = .deployed
                $0.artifact = .init(identifier: "a", sha256: "", bytes: 1)
            }
            new.trigger = .rollback
            new.artifact = .init(identifier: "a", sha256: "", bytes: 1)
            let rollback = try await store.acceptRelease(new)
            #expect(try await !store.giveUp(artifact: "a"))
            try await store.update(rollback.id) { $0.status = .failed }
            #expect(try await store.giveUp(artifact: "a"))
            // From then on nothing is accepted with it.
            await #expect(throws: Failure.self) { try await store.acceptRelease(new) }
            #expect(try await store.release(target, 1)?.artifact?.available == false)
            await #expect(throws: Failure.self) { try await store.pin(target, 1, true) }
        }
    }
}
