// SPDX-License-Identifier: Apache-2.0
import Crypto
import Foundation
import HTTPClient

/// A service fed by a remote repository, and its hook.
struct Hook {
    private static let settings =
        #"{"start":"python3 server.py","probe":{"path":"/"},"rollout":{"drain":"1s","warm":"0s","watch":"0s"}}"#

    let server: Server
    var secret = ""
    var commit = ""

    init(_ server: Server, _ words: String...) async throws {
        self.server = server
        try await server.setUp(Hook.settings)
        try await server.push("first")
        try await server.kinto("service", "remove", "hello", "--yes")
        try await server.git("clone", "-q", "--bare", server.work, "\(server.root)/remote.git")
        let added = try await server.run(
            "\(server.bin)/kinto",
            ["service", "add", "hello", "--repo", "file://\(server.root)/remote.git", "--json"] + words
                + ["--home", server.home])
        let json = try JSONSerialization.jsonObject(with: Data(added.output.utf8)) as? [String: Any]
        secret = (json?["webhook"] as? [String: Any])?["secret"] as? String ?? ""
        commit = try await server.git("rev-parse", "HEAD").output.trimmingCharacters(
            in: .whitespacesAndNewlines)
    }

    func post(_ headers: [String], _ body: String, to name: String = "hello") async throws -> (
        status: Int, body: [String: Any]
    ) {
        let answer = try await HTTPClient.send(
            .init(
                "POST", url: "http://127.0.0.1:\(server.listen)/hooks/\(name)",
                headers: ["Content-Type: application/json"] + headers, body: Array(body.utf8),
                timeout: 180_000))
        let json = try? JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any]
        return (answer.status, json ?? [:])
    }

    func digest(_ body: String, _ secret: String? = nil) -> String {
        HMAC<SHA256>.authenticationCode(
            for: Array(body.utf8), using: SymmetricKey(data: Array((secret ?? self.secret).utf8))
        ).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    func deliveries() async throws -> [[String: Any]] {
        try await server.json("deliveries", "hello", "--json") as? [[String: Any]] ?? []
    }

    /// Waits until a delivery has a verdict; refused ones are noted beside the answer.
    func until(_ verdict: String) async throws {
        try await server.until {
            try await deliveries().contains { ($0["verdict"] as? String)?.contains(verdict) == true }
        }
    }
}
