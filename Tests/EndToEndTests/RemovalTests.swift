// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing
import Wire

/// What is removed leaves nothing, also when the server dies with it, and its name is free at once.
struct RemovalTests {
    private func prepare(_ server: Server) async throws {
        try await server.setUp(#"{"start":"python3 server.py","rollout":{"warm":"0s","watch":"0s"}}"#)
        try await server.kinto("environment", "add", "hello", "staging", "--branch", "next")
        try await server.push("first")
        #expect(try await server.pushTo("HEAD:next").status == 0)
    }

    /// Below the home, what has to do with the service.
    private func left(_ server: Server, _ part: String = "") -> [String] {
        ["repos", "services", "work", "artifacts", "removed"].flatMap { folder in
            ((try? Files.list("\(server.home)/\(folder)")) ?? []).map { "\(folder)/\($0)" }
        }.filter { $0.contains(part) }
    }

    @Test(arguments: ["removed", "removed-files"]) func aKillLeavesNothing(_ point: String) async throws {
        try await Server.with { server in
            try await prepare(server)
            server.end(with: SIGTERM)
            try await server.serve(variables: ["KINTO_FAULT=\(point):kill"])
            #expect(
                try await server.kinto("environment", "remove", "hello", "staging", "--yes").status == 69)
            server.end(with: SIGKILL)
            try await server.serve()
            try await server.until { left(server, "removed/").isEmpty }
            #expect(left(server, "artifacts/").count == 1)
            #expect(try Files.list("\(server.home)/services/hello") == ["production"])
            #expect(try await server.get().status == 200)

            server.end(with: SIGTERM)
            try await server.serve(variables: ["KINTO_FAULT=\(point):kill"])
            #expect(try await server.kinto("service", "remove", "hello", "--yes").status == 69)
            server.end(with: SIGKILL)
            try await server.serve()
            #expect(try await server.get().status == 404)
            // Nothing of the one before is in the way of one of its name, whatever is left to remove of it.
            #expect(try await server.kinto("service", "add", "hello").status == 0)
            let pushed = try await server.push("again")
            #expect(pushed.output.contains("release 1 of hello"), "\(pushed.output)")
            #expect(try await server.get().status == 200)
            try await server.until { left(server, "removed/").isEmpty }
            #expect(try Files.list("\(server.home)/services/hello") == ["production"])
            #expect(left(server, "artifacts/").count == 1)
        }
    }

    @Test func nothingIsLeft() async throws {
        try await Server.with { server in
            try await prepare(server)
            // Names that are no text, in the artifact and in what is kept between builds, which is replaced by the second build.
            for round in 1...2 {
                try server.write(
                    "kinto.json",
                    #"{"start":"python3 server.py","rollout":{"warm":"0s","watch":"0s"},"build":{"cache":["c"],"command":"mkdir -p c; touch \"$(printf 'c/q\\377')\" \"$(printf 'p\\377')\"; : \#(round)"}}"#
                )
                let pushed = try await server.push("build \(round)")
                #expect(pushed.output.contains("is live"), "\(pushed.output)")
            }
            #expect(try await server.kinto("prune", "hello", "--keep", "1").status == 0)
            #expect(try await server.kinto("service", "remove", "hello", "--yes").status == 0)
            #expect(left(server) == [])
        }
    }
}
