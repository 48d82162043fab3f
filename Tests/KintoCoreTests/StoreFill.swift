// SPDX-License-Identifier: Apache-2.0
import Foundation
import KintoCore
import TestSupport
import Testing
import Wire

/// A home as years of use leave it. `KINTO_FILL=HOME:SERVICES:RELEASES` names the one of `scripts/bench-dashboard`; without it a
/// small one is made, and read. The first service, `big`, has all of these releases, the others twenty each.
struct StoreFill {
    private static let wish = ProcessInfo.processInfo.environment["KINTO_FILL"]

    @Test func fillsAHome() async throws {
        guard let wish = StoreFill.wish else {
            return try await TemporaryDirectory.with { try await fill(Home($0), services: 2, releases: 30) }
        }
        let parts = wish.split(separator: ":").map(String.init)
        try #require(parts.count == 3)
        try await fill(
            Home(parts[0]), services: try #require(Int(parts[1])), releases: try #require(Int(parts[2])))
    }

    private func fill(_ home: Home, services: Int, releases: Int) async throws {
        let store = try Store(path: home.database)
        for index in 0..<services {
            let name = try ServiceName(index == 0 ? "big" : "service-\(index)")
            try await store.add(
                RegisteredService(
                    name: name, source: .remote, repository: "https://git.example.com/\(name).git",
                    createdAt: .now, webhookSecret: "a secret of \(name)"),
                branch: "main")
            let target = Target(service: name)
            try await fill(store, target, count: index == 0 ? releases : 20)
            // What is live has no instances: it is not to be started again.
            try await store.update(target) { $0.suspended = true }
            let live = try await store.live(target)
            #expect(live?.number == (index == 0 ? releases : 20))
        }
    }

    private func fill(_ store: Store, _ target: Target, count: Int) async throws {
        _ = try await store.changeConfig(
            target, set: Dictionary(uniqueKeysWithValues: (1...10).map { ("VARIABLE_\($0)", "value \($0)") }),
            secret: true, unset: [], release: nil)
        let config = try await store.config(target)
        var manifest = Manifest(start: "exec ./server --listen $PORT")
        manifest.env = ["LOG_LEVEL": "info"]
        for number in 1...count {
            var new = NewRelease(
                target: target, commit: CommitID(String(repeating: "0", count: 32) + hex(number)),
                branch: "main",
                trigger: .push)
            new.subject = "Change \(number) of the things that had to be changed"
            new.author = "Ada Lovelace"
            let accepted = try await store.acceptRelease(new)
            try await store.update(accepted.id, step: "filled") { [manifest] release in
                release.startedAt = .now
                release.finishedAt = .now
                release.manifest = manifest
                release.config = config
                release.timings = [
                    "queue": 1, "fetch": 12, "build": 1500, "store": 40, "start": 8, "probe": 90,
                ]
                if number % 7 == 3 {
                    release.status = .failed
                    release.failure = Failure(code: "build-exit", "the build command failed with exit code 1")
                } else {
                    release.artifact = .init(
                        identifier: "\(target.service)-\(number)", sha256: hex(number), bytes: 1 << 20)
                    release.liveAt = .now
                    release.status = .deployed
                    release.live = true
                }
            }
        }
    }

    private func hex(_ number: Int) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }
}
