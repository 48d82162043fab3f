// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing

/// One repository that feeds several services through one hook.
@Suite(.timeLimit(.minutes(20)))
struct MonorepoTests {
    private static let settings =
        #"{"start":"python3 server.py","probe":{"path":"/"},"paths":["PLACE/**","!**/*.md"],"rollout":{"drain":"1s","warm":"0s","watch":"0s"}}"#

    @Test func aPushDeploysTheServicesWhosePathsItChanged() async throws {
        try await Server.with { server in
            try await server.git("init", "-q", "-b", "main")
            for place in ["api", "web"] {
                try FileManager.default.createDirectory(
                    atPath: "\(server.work)/services/\(place)", withIntermediateDirectories: true)
                try server.write(
                    "services/\(place)/kinto.json",
                    Self.settings.replacing("PLACE", with: "services/\(place)"))
                try server.write("services/\(place)/server.py", Server.application)
            }
            let remote = "\(server.root)/remote.git"
            func commit(_ change: String) async throws {
                try await server.git("add", "-A")
                try await server.git("commit", "-qm", change)
                try await server.git("push", "-q", remote, "HEAD:main")
            }
            try await server.git("add", "-A")
            try await server.git("commit", "-qm", "first")
            try await server.git("clone", "-q", "--bare", server.work, remote)
            var secret = ""
            for name in ["api", "web"] {
                let added =
                    try await server.json(
                        "service", "add", name, "--repo", "file://\(remote)", "--provider", "generic",
                        "--config",
                        "services/\(name)/kinto.json", "--json") as? [String: Any]
                if name == "api" {
                    secret = (added?["webhook"] as? [String: Any])?["secret"] as? String ?? ""
                }
            }
            func deliver() async throws -> [String: Any] {
                let answer = try await HTTPClient.send(
                    .init(
                        "POST", url: "http://127.0.0.1:\(server.listen)/hooks/api",
                        headers: ["Authorization: Bearer \(secret)"], body: [], timeout: 60_000))
                #expect(answer.status == 202)
                return try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any] ?? [:]
            }
            func ends(_ number: Int) async throws -> [String] {
                var found: [String] = []
                try await server.until {
                    found = []
                    for name in ["api", "web"] {
                        let newest = try await server.releases(name).first
                        guard newest?["number"] as? Int == number, newest?["finishedAt"] is String else {
                            return false
                        }
                        found.append(newest?["status"] as? String ?? "")
                    }
                    return true
                }
                return found
            }
            let first = try await deliver()
            #expect((first["also"] as? [[String: Any]])?.first?["service"] as? String == "web", "\(first)")
            #expect(try await ends(1) == ["deployed", "deployed"])
            for host in ["api.localhost", "web.localhost"] {
                #expect(try await server.get(host: host).status == 200)
            }
            try server.write("services/web/server.py", Server.application + "\n# changed")
            try await commit("web only")
            _ = try await deliver()
            #expect(try await ends(2) == ["superseded", "deployed"])
            let log = try await server.kinto("logs", "api", "--release", "2").output
            #expect(
                log.contains(
                    "nothing in services/api/**, !**/*.md changed since release 1, which stays live"),
                "\(log)")
            // What was skipped counts from what is live on.
            try server.write("services/api/README.md", "read")
            try server.write("services/web/README.md", "read")
            try await commit("words only")
            _ = try await deliver()
            #expect(try await ends(3) == ["superseded", "superseded"])
            // Its own settings concern a service, and by hand everything goes.
            try server.write(
                "services/api/kinto.json",
                Self.settings.replacing("PLACE", with: "services/api").replacing("1s", with: "2s"))
            try await commit("settings")
            _ = try await deliver()
            #expect(try await ends(4) == ["deployed", "superseded"])
            let byHand = try await server.kinto("deploy", "web")
            #expect(byHand.status == 0 && byHand.output.contains("is live"), "\(byHand.output)")
            #expect(try await server.kinto("service", "add", "x", "--config", "../kinto.json").status != 0)
            // Two services cannot both be deployed by the hooks of one repository.
            #expect(try await server.kinto("service", "add", "one", "--repo", remote).status == 0)
            let two = try await server.kinto("service", "add", "two", "--repo", remote)
            #expect(two.status != 0 && two.output.contains("deploy service 'one' already"), "\(two.output)")
        }
    }
}
