// SPDX-License-Identifier: Apache-2.0
import Glibc
import KintoCore
import Testing
import Wire

@testable import Runner

/// Each limit met by a real repository or by a server that does what no good one does.
@Suite(.timeLimit(.minutes(20))) struct FetchLimitTests {
    let fixture: GitFixture
    let fetcher: Fetcher
    var mirror: String { "\(fixture.root)/mirror.git" }

    init() throws {
        fixture = try GitFixture()
        try fixture.makeRepository()
        fetcher = Fetcher(program: try builtProduct("kinto"))
    }

    private func fetch(
        _ server: HTTPGitServer, _ limits: String..., deadline: Duration = .seconds(180)
    ) async throws -> CommitID {
        var spec = FetchSpec(
            address: try GitAddress("http://127.0.0.1:\(server.port)/work/.git"), repository: mirror,
            references: ["refs/heads/main"])
        spec.limits = try FetchLimits(limits)
        return try await fetcher.fetch(spec, deadline: deadline)
    }

    /// That nothing of a fetch that was stopped is left, and the next one can begin.
    private func expectClean() throws {
        _ = try FetchMirror(mirror)
        #expect(try Files.list("\(mirror)/objects/pack") == [])
    }

    /// Bytes that do not get smaller by packing.
    private func write(_ path: String, random count: Int) throws {
        try fixture.run(["sh", "-c", "head -c \(count) /dev/urandom > work/\(path)"])
    }

    @Test func bytes() async throws {
        try write("large", random: 2 << 20)
        let commit = try fixture.commitAll("Large")
        let server = try HTTPGitServer(root: fixture.root)
        let stopped = await failure { _ = try await fetch(server, "bytes=1MiB") }
        #expect(stopped?.code == "fetch-too-large" && stopped?.message.contains("limit bytes") == true)
        #expect(stopped?.hints.first?.command == "kinto serve --fetch-limit bytes=…")
        try expectClean()
        #expect(try await fetch(server, "bytes=3MiB") == commit)
    }

    @Test func objects() async throws {
        for index in 0..<50 { try fixture.write("work/f\(index)", "\(index)") }
        let commit = try fixture.commitAll("Many")
        let server = try HTTPGitServer(root: fixture.root)
        let stopped = await failure { _ = try await fetch(server, "objects=54") }
        #expect(stopped?.code == "fetch-too-large", "\(String(describing: stopped))")
        try expectClean()
        #expect(try await fetch(server, "objects=55") == commit)
        let boaster = try HTTPGitServer(root: fixture.root, trouble: .boasts)
        try Files.removeTree(mirror)
        let boasted = await failure { _ = try await fetch(boaster) }
        #expect(boasted?.code == "fetch-too-large", "\(String(describing: boasted))")
    }

    /// What is a difference is put together in memory, with all that it is a difference to.
    @Test func memory() async throws {
        try write("large", random: 4_000_000)
        try fixture.commitAll("Base")
        try fixture.run(["sh", "-c", "cd work; for i in $(seq 25); do cat large; done > more; mv more large"])
        let commit = try fixture.commitAll("Bomb")
        try fixture.git("gc", "-q", in: fixture.work)
        let server = try HTTPGitServer(root: fixture.root)
        let stopped = await failure { _ = try await fetch(server, "memory=64MiB") }
        #expect(
            stopped?.code == "fetch-too-large" && stopped?.message.contains("limit memory") == true,
            "\(String(describing: stopped)) \(stopped?.evidence ?? [])")
        try expectClean()
        #expect(try await fetch(server) == commit)
        // The same at a checkout, before it is read.
        let code = failureCode {
            _ = try TreeExtractor(repository: mirror).extract(
                commit, to: "\(fixture.root)/out", limits: .init(fileBytes: 99_999_999))
        }
        #expect(code == "tree-too-large" && !Files.exists("\(fixture.root)/out"))
    }

    @Test func connectTime() async throws {
        let server = try SilentServer()
        for scheme in ["http", "ssh"] {
            var spec = FetchSpec(
                address: try GitAddress("\(scheme)://127.0.0.1:\(server.port)/x.git"), repository: mirror,
                references: ["refs/heads/main"])
            spec.limits = try FetchLimits(["connect-time=300ms"])
            let late = await failure { _ = try await fetcher.fetch(spec, deadline: .seconds(180)) }
            #expect(late?.code == "fetch-timeout" && late?.message.contains("limit connect-time") == true)
        }
    }

    @Test func stallTime() async throws {
        try write("large", random: 200_000)
        try fixture.commitAll("Large")
        let server = try HTTPGitServer(root: fixture.root, trouble: .stalls)
        let stalled = await failure { _ = try await fetch(server, "stall-time=500ms") }
        #expect(
            stalled?.code == "fetch-timeout" && stalled?.message.contains("limit stall-time") == true,
            "\(String(describing: stalled))")
        try expectClean()
    }

    @Test func totalTime() async throws {
        // What talks is not stalled.
        let server = try HTTPGitServer(root: fixture.root, trouble: .talks)
        let late = await failure {
            _ = try await fetch(server, "stall-time=5s", deadline: .seconds(8))
        }
        #expect(
            late?.code == "fetch-timeout" && late?.message.contains("limit total-time") == true,
            "\(String(describing: late))")
        try expectClean()
    }

    @Test func branchesWithoutEndDoNotTakeTheMachinesMemory() async throws {
        let server = try HTTPGitServer(root: fixture.root, trouble: .lists)
        let stopped = await failure { _ = try await fetch(server, "memory=64MiB") }
        #expect(
            stopped?.code == "fetch-too-large", "\(String(describing: stopped)) \(stopped?.evidence ?? [])")
    }

    @Test func travelToTheChildAndAreChecked() throws {
        var spec = FetchSpec(
            address: try GitAddress("https://host/x"), repository: "/x", references: ["refs/heads/main"])
        spec.limits = try FetchLimits([
            "connect-time=2s", "stall-time=3s", "total-time=4s", "bytes=5MiB", "objects=6",
            "file-bytes=7MiB", "memory=100MiB", "submodules=0",
        ])
        spec.commit = CommitID("0123456789012345678901234567890123456789")
        let back = try FetchSpec(spec.fields)
        #expect(back.limits == spec.limits && back.commit == spec.commit)
        for wrong in ["bytes=none", "objects=0", "total-time=2d", "depth=1", "bytes"] {
            #expect(throws: MalformedSetting.self) { _ = try FetchLimits([wrong]) }
        }
    }
}
