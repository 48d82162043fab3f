// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing

/// A host that is not as it should be.
@Suite(.serialized, .timeLimit(.minutes(20)))
struct BadWorldTests {
    @Test func homesThatCannotBeUsedAreTold() async throws {
        try await TemporaryDirectory.with { directory in
            try "x".write(toFile: "\(directory)/file", atomically: true, encoding: .utf8)
            for home in ["\(directory)/file/home", "/proc/kinto", "/dev/null"] {
                let tried = try await Server.command(
                    ["serve", "--home", home, "--listen", "127.0.0.1:1", "--proxy-listen", "127.0.0.1:1"])
                #expect(tried.status == 2, "\(home): \(tried.output)")
                #expect(
                    tried.output.contains(" !     the home directory cannot be used: "), "\(tried.output)")
                #expect(tried.output.contains(home), "\(tried.output)")
            }
        }
    }

    @Test func takenAddressesAreToldWithTheirOwner() async throws {
        try await Server.with { server in
            // Its own ports, wanted by another server with another home.
            for (listen, proxy) in [(server.listen, 1), (1, server.proxy)] as [(UInt16, UInt16)] {
                let tried = try await Server.command([
                    "serve", "--home", "\(server.root)/other", "--listen", "127.0.0.1:\(listen)",
                    "--proxy-listen", "127.0.0.1:\(proxy == 1 ? try FreePort.take() : proxy)",
                ])
                #expect(tried.status == 3, "\(tried.output)")
                let taken = listen == 1 ? proxy : listen
                #expect(tried.output.contains("127.0.0.1:\(taken)"), "\(tried.output)")
                #expect(tried.output.contains("kinto"), "\(tried.output)")
            }
            // No proxy of the refused ones is left.
            #expect(try !server.processes().contains { $0.contains("\(server.root)/other") })

            try await server.setUp(#"{"start":"python3 server.py","port":\#(server.listen)}"#)
            let push = try await server.push("first")
            #expect(push.output.contains("port \(server.listen) is taken by kinto"), "\(push.output)")
            let failure = try await server.releases("hello").first?["failure"] as? [String: Any]
            #expect(failure?["code"] as? String == "port-taken")
        }
    }

    @Test func remoteRepositoriesThatCannotBeFetchedAreTold() async throws {
        try await Server.with { server in
            try await server.shell("git init -q --bare -b main \(server.root)/empty.git")
            try await server.shell(
                "git init -q -b other \(server.root)/plain && mkdir \(server.root)/nothing")
            try await server.setUp()
            try await server.git("add", "-A")
            try await server.git("commit", "-q", "-m", "first")
            try await server.git("clone", "-q", "--bare", server.work, "\(server.root)/good.git")
            let cases: [(url: String, code: String, told: String)] = [
                ("http://127.0.0.1:\(try FreePort.take())/x.git", "fetch-unreachable", "127.0.0.1"),
                ("file://\(server.root)/missing.git", "fetch-not-found", "missing.git"),
                ("file://\(server.root)/nothing", "fetch-not-found", "nothing"),
                ("file://\(server.root)/empty.git", "fetch-empty", "empty"),
            ]
            for (index, (url, code, told)) in cases.enumerated() {
                #expect(try await server.kinto("service", "add", "s\(index)", "--repo", url).status == 0)
                let deploy = try await server.kinto("deploy", "s\(index)")
                #expect(deploy.status == 1, "\(url): \(deploy.output)")
                let failure = try await server.releases("s\(index)").first?["failure"] as? [String: Any]
                #expect(failure?["code"] as? String == code, "\(url): \(deploy.output)")
                #expect(deploy.output.contains(told), "\(url): \(deploy.output)")
            }
            // The branch goes away after a good deploy: what is live stays.
            try await server.kinto("service", "remove", "hello", "--yes")
            try await server.kinto("service", "add", "hello", "--repo", "file://\(server.root)/good.git")
            #expect(try await server.kinto("deploy", "hello").status == 0)
            try await server.shell("git -C \(server.root)/good.git branch -m main gone")
            let deploy = try await server.kinto("deploy", "hello")
            #expect(deploy.status == 1)
            #expect(deploy.output.contains("main"), "\(deploy.output)")
            let failure = try await server.releases("hello").first?["failure"] as? [String: Any]
            #expect(failure?["code"] as? String == "fetch-branch-gone")
            #expect(try await server.get().status == 200)
        }
    }
}

extension Server {
    /// Runs a program as root; throws with what it said.
    static func asRoot(_ words: String...) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = (geteuid() == 0 ? [] : ["sudo", "-n"]) + words
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Trouble("\(words.joined(separator: " ")): exit \(process.terminationStatus)")
        }
    }

    /// A command that is to end by itself, at the latest after three minutes.
    static func command(_ arguments: [String]) async throws -> Result {
        var guardian: Task<Void, any Error>?
        defer { guardian?.cancel() }
        let done = try await Command.run(try Products.directory() + "/kinto", arguments) { pid in
            guardian = Task {
                try await Task.sleep(for: .seconds(180))
                kill(pid, SIGKILL)
            }
        }
        return Result(status: done.status, output: done.output)
    }

    /// The command lines of all processes.
    func processes() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { entry in
            Int32(entry) == nil
                ? nil
                : FileManager.default.contents(atPath: "/proc/\(entry)/cmdline").map {
                    String(decoding: $0, as: UTF8.self)
                }
        }
    }
}
