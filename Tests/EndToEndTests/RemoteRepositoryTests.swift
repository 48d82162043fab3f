// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing

/// Private repositories over a real sshd and a real https server.
@Suite(.timeLimit(.minutes(5)))
struct RemoteRepositoryTests {
    private static let settings =
        #"{"start":"python3 server.py","probe":{"path":"/"},"rollout":{"drain":"1s","warm":"0s","watch":"0s"}}"#

    /// A work tree with a commit, and a bare copy of it to fetch from.
    private func remote(_ server: Server) async throws -> String {
        try await server.setUp(Self.settings)
        try await server.push("first")
        try await server.kinto("service", "remove", "hello", "--yes")
        try FileManager.default.createDirectory(
            atPath: "\(server.root)/git", withIntermediateDirectories: true)
        try await server.git("clone", "-q", "--bare", server.work, "\(server.root)/git/remote.git")
        return "\(server.root)/git/remote.git"
    }

    @Test func sshWithADeployKeyAndAPinnedHost() async throws {
        try await Server.with { server in
            let path = try await remote(server)
            let place = "\(server.root)/ssh"
            try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
            let ssh = try SSHServer(place)
            defer { ssh.stop() }
            let added = try await server.kinto(
                "service", "add", "hello", "--repo", "ssh://\(ssh.user)@127.0.0.1:\(ssh.port)\(path)")
            #expect(added.status == 0)
            // Its key is new and nobody knows it, but the host is known from now on.
            #expect(added.output.contains("is trusted from now on: \(ssh.fingerprint)"), "\(added.output)")
            #expect(added.output.contains("the repository cannot be read yet"), "\(added.output)")
            #expect(try await server.kinto("service", "check", "hello").status == 1)
            let key = try #require(
                added.output.split(separator: "\n").first { $0.contains("ssh-ed25519 ") }.map {
                    $0.trimmingCharacters(in: .whitespaces)
                })
            #expect(key.hasSuffix(" kinto-hello"))
            try ssh.authorize(key)
            let check = try await server.kinto("service", "check", "hello")
            #expect(check.status == 0 && check.output.contains("The branch is at "), "\(check.output)")
            let deploy = try await server.kinto("deploy", "hello")
            #expect(deploy.status == 0 && deploy.output.contains("is live"), "\(deploy.output)")
            #expect(try await server.get().status == 200)
            // The private half stands nowhere in plain: not in the database, not in a file.
            let found = try await server.run(
                "/bin/grep", ["-rlE", "OPENSSH PRIVATE KEY|openssh-key-v1", server.home])
            #expect(found.output.isEmpty, "\(found.output)")
            // Another host in its place is not spoken to.
            try (String(contentsOfFile: "\(server.home)/known_hosts", encoding: .utf8)).replacing(
                "AAAAC3NzaC1lZDI1NTE5AAAAI", with: "AAAAC3NzaC1lZDI1NTE5AAAAIA"
            ).write(toFile: "\(server.home)/known_hosts", atomically: true, encoding: .utf8)
            let other = try SSHServer.makeKey("other", place)
            try "[127.0.0.1]:\(ssh.port) \(other)\n".write(
                toFile: "\(server.home)/known_hosts", atomically: true, encoding: .utf8)
            let changed = try await server.kinto("service", "check", "hello")
            #expect(
                changed.status == 1 && changed.output.contains("someone stands in between"),
                "\(changed.output)")
            #expect(!changed.output.contains("trusted from now on"))
        }
    }

    @Test func httpsWithATokenAndAnAuthorityOfItsOwn() async throws {
        try await Server.with { server in
            _ = try await remote(server)
            let https = try HTTPSGitServer("\(server.root)/https", root: "\(server.root)/git")
            defer { https.stop() }
            let added = try await server.kinto(
                "service", "add", "hello", "--repo", "https://localhost:\(https.port)/remote.git")
            #expect(added.output.contains("The certificate of localhost is not valid"), "\(added.output)")
            #expect(
                try await server.kinto("service", "set", "hello", "--ca-from", https.authority).status == 0)
            let refused = try await server.kinto("service", "check", "hello")
            #expect(refused.status == 1, "\(refused.output)")
            try server.write("token", https.token + "\n")
            #expect(
                try await server.kinto(
                    "service", "set", "hello", "--token-from", "\(server.work)/token", "--username",
                    https.user
                ).status == 0)
            let check = try await server.kinto("service", "check", "hello")
            #expect(check.status == 0 && check.output.contains("The branch is at "), "\(check.output)")
            let deploy = try await server.kinto("deploy", "hello")
            #expect(deploy.status == 0 && deploy.output.contains("is live"), "\(deploy.output)")
            let found = try await server.run("/bin/grep", ["-rl", https.token, server.home])
            #expect(found.output.isEmpty, "\(found.output)")
            let shown = try await server.kinto("service", "show", "hello").output
            #expect(!shown.contains(https.token))
            // A redirect to another host is not followed.
            try await server.kinto("service", "remove", "hello", "--yes")
            let moved = try await server.kinto(
                "service", "add", "hello", "--repo", "https://localhost:\(https.port)/moved/remote.git")
            #expect(moved.output.contains("cannot be read yet"))
            try await server.kinto("service", "set", "hello", "--ca-from", https.authority)
            let redirect = try await server.kinto("service", "check", "hello")
            #expect(redirect.status == 1 && redirect.output.contains("redirect"), "\(redirect.output)")
        }
    }
}
