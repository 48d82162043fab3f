// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing
import Wire

/// What a server does with what an earlier one left: docs/recovery.md.
@Suite(.timeLimit(.minutes(20)))
struct RecoveryTests {
    private static let settings =
        #"{"start":"python3 server.py","probe":{"path":"/"},"rollout":{"watch":"0s","warm":"0s","stop":{"grace":"5s"}}"#

    /// A build that goes on until `go` is in the work tree's parent; each run of it leaves a line in `builds`.
    private func slowBuild(_ server: Server) -> String {
        Self.settings
            + #","build":{"command":"echo b >> \#(server.root)/builds; while [ ! -e \#(server.root)/go ]; do sleep 0.05; done; echo made > made"}}"#
    }

    private func lines(_ server: Server, _ name: String) -> Int {
        let text = (try? String(contentsOfFile: "\(server.root)/\(name)", encoding: .utf8)) ?? ""
        return text.split(separator: "\n").count
    }

    private func release(_ server: Server, _ number: Int) async throws -> [String: Any] {
        try await server.releases("hello").first { $0["number"] as? Int == number } ?? [:]
    }

    /// Scenario 2, and 1 in the middle of a build.
    @Test(arguments: [SIGTERM, SIGKILL])
    func aBuildGoesOnWhileTheServerIsAway(signal: Int32) async throws {
        try await Server.with { server in
            try await server.setUp(slowBuild(server))
            let pushing = Task { try await server.push("first") }
            try await server.until { lines(server, "builds") == 1 }
            server.end(with: signal)
            _ = try await pushing.value
            try server.touch("go")
            try await server.serve()
            try await server.until { try await release(server, 1)["status"] as? String == "deployed" }
            #expect(lines(server, "builds") == 1)
            #expect(try await server.get().status == 200)
            let log = try await server.kinto("logs", "hello", "--build").output
            #expect(log.contains("The build command went on while the server was away"), "\(log)")
        }
    }

    @Test func aBuildThatWasLostIsMadeAgain() async throws {
        try await Server.with { server in
            try await server.setUp(slowBuild(server))
            let pushing = Task { try await server.push("first") }
            try await server.until { lines(server, "builds") == 1 }
            server.end(with: SIGKILL)
            _ = try await pushing.value
            for pid in try server.supervisors() { kill(pid, SIGKILL) }
            try server.touch("go")
            try await server.serve()
            try await server.until { try await release(server, 1)["status"] as? String == "deployed" }
            #expect(lines(server, "builds") == 2)
        }
    }

    @Test func aReleaseCommandThatWasCutShortIsNotRunTwice() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            try await server.setUpAgain(
                Self.settings
                    + #","release":{"command":"echo r >> \#(server.root)/commands; while [ ! -e \#(server.root)/go ]; do sleep 0.05; done"}}"#
            )
            let pushing = Task { try await server.push("second") }
            try await server.until { lines(server, "commands") == 1 }
            server.end(with: SIGKILL)
            _ = try await pushing.value
            for pid in try server.supervisors() where try !server.isInstance(pid) { kill(pid, SIGKILL) }
            try await server.serve()
            try await server.until { try await release(server, 2)["status"] as? String == "failed" }
            let failure = try await release(server, 2)["failure"] as? [String: Any]
            #expect(failure?["code"] as? String == "release-interrupted")
            #expect(lines(server, "commands") == 1)
            #expect(try await server.get().status == 200)
        }
    }

    /// Nothing stays "in progress" for ever, and what is stuck does no harm when it goes on after all.
    @Test func aStepThatIsStuckIsGivenUp() async throws {
        try await Server.with { server in
            try await server.setUp(Self.settings + "}")
            try await server.push("first")
            _ = server.stop()
            try await server.serve(
                variables: ["KINTO_FAULT=fetched:hold=\(server.root)/wake@1", "KINTO_STAGE_LIMIT=fetch:15s"])
            let pushed = try await server.push("second")
            #expect(pushed.output.contains("the step fetch took longer than 15s"), "\(pushed.output)")
            let failed = try await release(server, 2)
            #expect(failed["status"] as? String == "failed")
            #expect((failed["failure"] as? [String: Any])?["code"] as? String == "stage-overdue")
            let third = try await server.push("third")
            #expect(third.output.contains("Release 3 is live"), "\(third.output)")
            // The one that was given up wakes up, and has its time to do harm.
            try server.touch("wake")
            try await Task.sleep(for: .seconds(3))
            #expect(try await release(server, 2)["status"] as? String == "failed")
            #expect(try await release(server, 3)["live"] as? Bool == true)
            #expect(try await String(decoding: server.get().body, as: UTF8.self).hasPrefix("release=3 "))
            let doctor = try await server.kinto("doctor")
            #expect(doctor.output.contains("0 deploying, 0 queued, none over its time"), "\(doctor.output)")
        }
    }

    /// Scenario 7: all processes are gone at once.
    @Test func afterARebootEveryServiceIsStartedFromItsArtifact() async throws {
        try await Server.with { server in
            try await server.setUp(
                Self.settings + #","build":{"command":"echo b >> \#(server.root)/builds"}}"#)
            try await server.push("first")
            for name in ["two", "three"] {
                #expect(try await server.kinto("service", "add", name).status == 0)
                try await server.git("push", "-q", "\(server.home)/repos/\(name).git", "HEAD:main")
            }
            let before = lines(server, "builds")
            try await server.killEverything()
            try await server.serve()
            for name in ["hello", "two", "three"] {
                // A request waits for it, and may wait too long.
                try await server.until { (try? await server.get(host: "\(name).localhost").status) == 200 }
                let releases = try await server.releases(name)
                #expect(releases.count == 1)
                #expect(releases.first?["live"] as? Bool == true)
            }
            #expect(lines(server, "builds") == before)
        }
    }

    /// The kernel's killer may take it for want of memory: visitors notice nothing.
    @Test(arguments: [1, 2])
    func anInstanceWhoseSupervisorIsKilledIsStartedAgain(instances: Int) async throws {
        // Its start may take longer than requests wait for it, on a machine with much to do.
        try await Server.with(environment: { _ in ["KINTO_HOLD=3m"] }) { server in
            try await server.setUp(
                #"{"start":"python3 server.py","probe":{"path":"/"},"rollout":{"watch":"0s","instances":\#(instances)}}"#
            )
            try await server.push("first")
            let before = try await pids(server)
            let visitors = Visitors(server)
            let killed = try #require(try server.supervisors().first { try server.isInstance($0) })
            kill(killed, SIGKILL)
            try await server.until {
                let now = try await pids(server)
                return now.count == instances && now != before && server.runningServices() == now
            }
            let seen = await visitors.end()
            #expect(seen.failures == [])
            #expect(try await server.releases("hello").count == 1)
        }
    }

    /// How what a killed supervisor left comes to its end.
    enum Way: CaseIterable { case started, replaced, recreated, suspended, removed }

    /// It goes on serving while its successor does not come up, and does not outlive it.
    @Test(arguments: Way.allCases)
    func whatAKilledSupervisorLeftIsEndedOnceItIsNotNeeded(way: Way) async throws {
        try await Server.with { server in
            func settings(_ start: String, strategy: String = "rolling") -> String {
                #"{"start":"\#(start)","probe":{"path":"/"},"rollout":{"watch":"0s","warm":"0s","strategy":"\#(strategy)"}}"#
            }
            try await server.setUp(settings("test -e \(server.root)/needed && exec python3 server.py"))
            try server.touch("needed")
            try await server.push("first")
            let left = server.runningServices()
            try FileManager.default.removeItem(atPath: "\(server.root)/needed")
            kill(try #require(try server.supervisors().first), SIGKILL)
            try await server.until {
                let status = try await server.json("status", "--json") as? [String: Any]
                let service = (status?["services"] as? [[String: Any]])?.first
                return (service?["waiting"] as? String ?? "").contains("tried again")
            }
            #expect(server.runningServices() == left)
            #expect(try await server.get().status == 200)
            switch way {
            case .started:
                try server.touch("needed")
                try await server.until {
                    let now = server.runningServices()
                    return now.count == 1 && now.isDisjoint(with: left)
                }
                #expect(try await server.get().status == 200)
            case .replaced:
                try await server.setUpAgain(settings("python3 server.py"))
                try await server.push("second")
                // What is not live any more is not tried again.
                try await server.until {
                    let now = server.runningServices()
                    return now.count == 1 && now.isDisjoint(with: left)
                }
                let status = try await server.json("status", "--json") as? [String: Any]
                #expect((status?["services"] as? [[String: Any]])?.first?["waiting"] as? String == nil)
            case .recreated:
                // It is ended for a release that fails: what is live is tried again.
                try await server.setUpAgain(settings("exit 1", strategy: "recreate"))
                try await server.push("second")
                #expect(try await release(server, 2)["status"] as? String == "failed")
                #expect(server.runningServices().isEmpty)
                try server.touch("needed")
                try await server.until { (try? await server.get().status) == 200 }
            case .suspended:
                #expect(try await server.kinto("suspend", "hello").status == 0)
                #expect(server.runningServices().isEmpty)
                #expect(try await server.get().status == 503)
            case .removed:
                #expect(try await server.kinto("service", "remove", "hello", "--yes").status == 0)
                #expect(server.runningServices().isEmpty)
            }
        }
    }

    private func pids(_ server: Server) async throws -> Set<Int> {
        let instances = try await release(server, 1)["instances"] as? [[String: Any]] ?? []
        return Set(instances.compactMap { $0["pid"] as? Int })
    }

    /// What a service needs may come later than the service: its start is tried again.
    @Test func aServiceThatDoesNotComeUpIsTriedAgain() async throws {
        try await Server.with { server in
            try await server.setUp(
                #"{"start":"test -e \#(server.root)/needed && exec python3 server.py","probe":{"path":"/"}}"#)
            try server.touch("needed")
            try await server.push("first")
            try await server.killEverything()
            try FileManager.default.removeItem(atPath: "\(server.root)/needed")
            try await server.serve()
            try await server.until {
                let status = try await server.json("status", "--json") as? [String: Any]
                let service = (status?["services"] as? [[String: Any]])?.first
                return (service?["waiting"] as? String ?? "").contains("tried again")
            }
            try server.touch("needed")
            // A request waits for it, and may wait too long.
            try await server.until { (try? await server.get().status) == 200 }
            try await server.until {
                let status = try await server.json("status", "--json") as? [String: Any]
                return (status?["services"] as? [[String: Any]])?.first?["waiting"] as? String == nil
            }
        }
    }
}

extension Server {
    func touch(_ name: String) throws {
        try "".write(toFile: "\(root)/\(name)", atomically: true, encoding: .utf8)
    }

    /// Other settings from the next push on.
    func setUpAgain(_ settings: String) async throws { try write("kinto.json", settings) }

    /// Supervisors of this home's builds and instances.
    func supervisors() throws -> [Int32] {
        ProcessTable.all().filter { pid in
            let line = (try? Files.read("/proc/\(pid)/cmdline")) ?? []
            return line.starts(with: "kinto-runtime\u{0}supervise".utf8)
                && marks(pid).contains { $0.hasPrefix("KINTO_HOME_ID=") }
                && ProcessTable.descendants(of: pid).contains { isOurs($0) }
        }
    }

    func isInstance(_ pid: Int32) throws -> Bool {
        ProcessTable.descendants(of: pid).contains { environment($0).contains { $0.hasPrefix("PORT=") } }
    }

    /// Pids of the application's processes.
    func runningServices() -> Set<Int> {
        Set(
            ProcessTable.all().filter { pid in
                isOurs(pid) && environment(pid).contains { $0.hasPrefix("PORT=") }
                    && ProcessTable.stat(pid)?.name.hasPrefix("python3") == true
            }.map(Int.init))
    }

    private func isOurs(_ pid: Int32) -> Bool {
        let directory = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/cwd")) ?? ""
        return directory.hasPrefix("\(root)/")
    }

    private func marks(_ pid: Int32) -> [String] { environment(pid) }

    private func environment(_ pid: Int32) -> [String] {
        ((try? Files.read("/proc/\(pid)/environ")) ?? []).split(separator: 0).map {
            String(decoding: $0, as: UTF8.self)
        }
    }

    /// The server, the proxy and the services, as a power cut does.
    func killEverything() async throws {
        let status = try await json("status", "--json") as? [String: Any]
        let proxy = status?["proxy"] as? [String: Any]
        let all = try supervisors()
        end(with: SIGKILL)
        for key in ["supervisor", "pid"] { if let pid = proxy?[key] as? Int { kill(Int32(pid), SIGKILL) } }
        for supervisor in all {
            let children = ProcessTable.descendants(of: supervisor)
            kill(supervisor, SIGKILL)
            for child in children { kill(child, SIGKILL) }
        }
        try await until {
            all.allSatisfy { ProcessTable.stat($0).map { $0.state == UInt8(ascii: "Z") } ?? true }
        }
    }
}
