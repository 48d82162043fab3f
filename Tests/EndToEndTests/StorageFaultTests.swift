// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing
import Wire

/// The disk says no in the middle of a deploy, at one place after the other. `make faults` does it at every place.
@Suite(.serialized, .timeLimit(.minutes(30)))
struct StorageFaultTests {
    struct Fault: Sendable, CustomTestStringConvertible {
        let name: String
        let calls: StorageShim.Calls
        let error: Int32
        /// So many places of a deploy, spread over it.
        let places: Int
        var sticky = false
        var testDescription: String { name }
    }

    /// Scenarios 9, 10 and 19.
    @Test(arguments: [
        Fault(name: "ENOSPC once", calls: .room, error: ENOSPC, places: 6),
        Fault(name: "ENOSPC until there is room", calls: .room, error: ENOSPC, places: 3, sticky: true),
        Fault(
            name: "EIO once", calls: [.write, .sync, .rename, .unlink, .mode, .read], error: EIO, places: 6),
        Fault(
            name: "EROFS for a while", calls: [.room, .unlink, .mode], error: EROFS, places: 2, sticky: true),
        Fault(name: "EMFILE once", calls: .open, error: EMFILE, places: 4),
        Fault(name: "EMFILE for a while", calls: .open, error: EMFILE, places: 2, sticky: true),
        Fault(name: "no process", calls: .spawn, error: EAGAIN, places: 4),
    ])
    func aFaultAtAnyPlaceFailsTheReleaseOrNothing(_ fault: Fault) async throws {
        try await TemporaryDirectory.with { directory in
            let shim = try await StorageShim(in: directory)
            try await Server.with(environment: { shim.environment(home: $0.home) }) { server in
                try await server.setUp(
                    #"{"start":"python3 server.py","probe":{"path":"/"},"build":{"command":"seq 100 > made","cache":["kept"]},"rollout":{"warm":"0s","watch":"0s"}}"#
                )
                try await server.push("first")
                var run = FaultRun(server: server, shim: shim, secret: server.webhookSecret)
                try await run.measure(fault)
                let visitors = Visitors(server, count: 2)
                // "all", or so many places of each.
                let wanted = ProcessInfo.processInfo.environment["KINTO_FAULTS"]
                let count = min(
                    run.total, wanted == "all" ? .max : wanted.flatMap { Int($0) } ?? fault.places)
                for index in 0..<count {
                    try await run.deploy(fault, at: 1 + (index * run.total + run.total / 2) / count)
                }
                try await run.conclude()
                let tally = await visitors.end()
                #expect(tally.failures.isEmpty, "\(tally.failures.prefix(3))")
                print("\(fault.name): \(count) of \(run.total) places; \(run.summary)")
            }
        }
    }
}

extension StorageFaultTests {
    /// Scenario 20.
    @Test func logsThatAreDeletedUnderTheServerAreMadeAnew() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            let (before, pid) = (try await server.body(), server.pid)
            let visitors = Visitors(server, count: 2)
            try await server.until { (try? Files.removeTree("\(server.home)/services")) != nil }
            #expect(try await server.body() == before)
            #expect(try await server.kinto("logs", "hello", "--release", "1").status <= 3)
            #expect(try await server.push("second").output.contains("Release 2 is live"))
            #expect(try await server.kinto("logs", "hello", "--release", "2").output.contains("is live"))
            #expect(server.pid == pid && kill(pid, 0) == 0)
            let tally = await visitors.end()
            #expect(tally.failures.isEmpty, "\(tally.failures.prefix(3))")
        }
    }

    /// Scenario 10: the limit is reached, for a while, in the server itself. That it does not ask the kernel in a circle
    /// meanwhile is not so yet: the event loop's accept does.
    @Test func aServerWithoutDescriptorsAnswersAgainWhenItHasSome() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            let visitors = Visitors(server, count: 2)
            let limit = try await server.run(
                "/usr/bin/prlimit",
                ["--pid", "\(server.pid)", "--nofile", "--output", "SOFT", "--noheadings"]
            ).output.trimmingCharacters(in: .whitespacesAndNewlines)
            func bound(_ value: String) async throws {
                let set = try await server.run(
                    "/usr/bin/prlimit", ["--pid", "\(server.pid)", "--nofile=\(value):"])
                #expect(set.status == 0, "\(set.output)")
            }
            let used = try Files.list("/proc/\(server.pid)/fd").compactMap { Int($0) }.max() ?? 0
            try await bound("\(used / 2)")
            for _ in 0..<10 {
                _ = try await server.run(
                    "/usr/bin/curl", ["-s", "--max-time", "0.2", "http://127.0.0.1:\(server.listen)/healthz"])
            }
            try await bound(limit)
            try await server.until {
                try await server.run(
                    "/usr/bin/curl", ["-s", "--max-time", "5", "http://127.0.0.1:\(server.listen)/healthz"]
                ).output == "ok\n"
            }
            #expect(try await server.push("second").output.contains("Release 2 is live"))
            let tally = await visitors.end()
            #expect(tally.failures.isEmpty, "\(tally.failures.prefix(3))")
        }
    }
}

/// Deploys with a fault in each, and what has to be so after it.
struct FaultRun {
    let server: Server
    let shim: StorageShim
    let secret: String
    /// The calls of a deploy that goes well.
    var total = 0
    private var deliveries = 0
    private var outcomes: [String: Int] = [:]

    init(server: Server, shim: StorageShim, secret: String) {
        self.server = server
        self.shim = shim
        self.secret = secret
    }

    var summary: String {
        outcomes.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    }

    /// Counts the calls of a deploy without a fault.
    mutating func measure(_ fault: StorageFaultTests.Fault) async throws {
        try await commit()
        try shim.arm(fault.calls, error: fault.error, at: 0)
        try await trigger()
        try await settled()
        total = Int(try shim.seen)
        try shim.disarm()
        #expect(total > 0)
    }

    mutating func deploy(_ fault: StorageFaultTests.Fault, at place: Int) async throws {
        try await commit()
        let before = try await live()
        try shim.arm(fault.calls, error: fault.error, at: UInt64(place), sticky: fault.sticky)
        deliveries += 1
        let identifier = "delivery-\(deliveries)"
        var answer = try await server.deliver(identifier, secret: secret)
        let told: Comment = "\(fault.name) at \(place), \(try shim.first): \(answer.head)"
        #expect(answer.status == 202 || answer.status == 503 && answer.head.contains("retry-after:"), told)
        if fault.sticky {
            try await server.until {
                if try shim.hits > 0 { return true }
                return await isSettled()
            }
            // Of what is live nothing changes while it lasts.
            #expect(try await server.get().status == 200, told)
        } else if answer.status == 202 {
            try await settled()
        }
        let place = try shim.first
        try shim.disarm()
        // A forge sends a delivery again that was not taken.
        if answer.status == 503 { answer = try await server.deliver(identifier, secret: secret) }
        #expect(answer.status == 202 || answer.status == 200, "\(place): \(answer.head)")
        try await settled()

        let releases = try await server.releases("hello")
        #expect(releases.count == deliveries + 1, "\(fault.name) at \(place): each trigger is one release")
        let last = releases.first
        let status = last?["status"] as? String ?? "none"
        if status == "deployed" {
            #expect(last?["live"] as? Bool == true)
            outcomes["deployed", default: 0] += 1
        } else {
            let failure = last?["failure"] as? [String: Any]
            let code = failure?["code"] as? String ?? "none"
            let evidence = (failure?["evidence"] as? [String] ?? []).joined(separator: "\n")
            let text = "\(failure?["message"] as? String ?? "") \(evidence)"
            #expect(status == "failed", "\(fault.name) at \(place)")
            #expect(
                code != "internal" && text.contains("/"), "\(fault.name) at \(place): \(code): \(text)")
            outcomes[code, default: 0] += 1
            #expect(try await live() == before, "\(fault.name) at \(place)")
        }
    }

    /// Without a restart it is as before: a deploy goes well, and nothing is left over.
    mutating func conclude() async throws {
        try await commit()
        try await trigger()
        try await settled()
        let last = try await server.releases("hello").first
        #expect(last?["status"] as? String == "deployed", "\(last ?? [:])")
        #expect(try await server.releases("hello").count == deliveries + 1)
        do {
            try await server.until {
                let left = try Files.list("\(server.home)/artifacts").filter { $0.hasPrefix(".") }
                let work = (try? Files.list("\(server.home)/work/hello/production")) ?? []
                return left.isEmpty && work.isEmpty
            }
        } catch {
            let left = try await server.run(
                "/usr/bin/find", ["\(server.home)/artifacts", "\(server.home)/work", "-maxdepth", "3"])
            throw Trouble("something is left over: \(left.output)")
        }
    }

    private mutating func trigger() async throws {
        deliveries += 1
        let answer = try await server.deliver("delivery-\(deliveries)", secret: secret)
        #expect(answer.status == 202, "\(answer.head)")
    }

    /// A commit in the repository, told to nobody.
    private func commit() async throws {
        try server.write("number", "\(deliveries)")
        try await server.commitSilently("number \(deliveries)")
    }

    /// Whether every release has its end; false when that cannot be read now.
    private func isSettled() async -> Bool {
        guard let releases = try? await server.releases("hello") else { return false }
        return releases.allSatisfy { !["queued", "deploying"].contains($0["status"] as? String) }
    }

    private func settled() async throws {
        do { try await server.until { await isSettled() } } catch {
            let log = try? String(contentsOfFile: "\(server.root)/serve.log", encoding: .utf8)
            throw Trouble("a release has no end: \(log?.suffix(2000) ?? "")")
        }
    }

    private func live() async throws -> Int? {
        try await server.releases("hello").first { $0["live"] as? Bool == true }?["number"] as? Int
    }
}
