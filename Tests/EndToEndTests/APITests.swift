// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// The API as scripts meet it: held to its own document by `scripts/check-api`.
@Suite(.timeLimit(.minutes(20)))
struct APITests {
    @Test func everyAnswerIsAsTheDocumentSays() async throws {
        try await Server.with { server in
            try await server.setUp(
                #"{"start":"python3 server.py","probe":{"path":"/"},"processes":{"report":{"command":"exit 4","schedule":"@yearly"}}}"#
            )
            try await server.push("first")
            // One that fails has a failure to show.
            try server.write("kinto.json", #"{"start":"exit 3","probe":{"deadline":"5s"}}"#)
            try await server.push("fails")
            let token = try String(contentsOfFile: "\(server.home)/token", encoding: .utf8)
            let script =
                URL(fileURLWithPath: #filePath).deletingLastPathComponent()
                .deletingLastPathComponent().deletingLastPathComponent().path + "/scripts/check-api"
            let result = try await server.run(
                "/usr/bin/python3",
                [
                    script, "http://127.0.0.1:\(server.listen)",
                    token.trimmingCharacters(in: .whitespacesAndNewlines), "hello",
                ])
            #expect(result.status == 0, "\(result.output)")
        }
    }
}
