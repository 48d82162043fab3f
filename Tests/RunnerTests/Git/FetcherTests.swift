// SPDX-License-Identifier: Apache-2.0
import Glibc
import KintoCore
import Synchronization
import TestSupport
import Testing
import Wire

@testable import Runner

@Suite struct FetcherTests {
    let fixture: GitFixture
    let first: CommitID
    let fetcher: Fetcher
    var mirror: String { "\(fixture.root)/mirror.git" }

    init() throws {
        fixture = try GitFixture()
        first = try fixture.makeRepository()
        fetcher = Fetcher(program: try builtProduct("kinto"))
    }

    private func spec(_ address: String, _ references: [String] = ["refs/heads/main"]) throws -> FetchSpec {
        FetchSpec(address: try GitAddress(address), repository: mirror, references: references)
    }

    @Test func fetchesABranchFromAPathAndFollowsAForcePush() async throws {
        for index in 0..<50 { try fixture.write("work/f\(index)", "content \(index)") }
        let second = try fixture.commitAll("Second")
        let seen = Mutex<[FetchProgress]>([])
        let got = try await fetcher.fetch(try spec(fixture.work), deadline: .seconds(180)) { progress in
            seen.withLock { $0.append(progress) }
        }
        #expect(got == second)
        #expect(seen.withLock { $0.last?.total } ?? 0 > 50)
        let out = "\(fixture.root)/out"
        #expect(try TreeExtractor(repository: mirror).extract(got, to: out).files == 51)
        // Nothing new is fine too.
        #expect(
            try await fetcher.fetch(try spec("file://\(fixture.work)"), deadline: .seconds(180)) == second)
        try fixture.git("reset", "-q", "--hard", first.description, in: fixture.work)
        let third = try fixture.commitAll("Instead of the second")
        #expect(try await fetcher.fetch(try spec(fixture.work), deadline: .seconds(180)) == third)
        #expect(try GitRepository(opening: mirror).resolve("main") == third)
    }

    @Test func overHTTPABranchIsFetchedAndAPasswordIsWanted() async throws {
        for index in 0..<200 { try fixture.write("work/f\(index)", "content \(index)") }
        let second = try fixture.commitAll("Second")
        let open = try HTTPGitServer(root: fixture.root)
        let address = "http://127.0.0.1:\(open.port)/work/.git"
        #expect(try await fetcher.fetch(try spec(address), deadline: .seconds(180)) == second)
        let out = "\(fixture.root)/out"
        #expect(try TreeExtractor(repository: mirror).extract(second, to: out).files == 201)

        let closed = try HTTPGitServer(root: fixture.root, password: "me:s3cret")
        var wanted = try spec("http://127.0.0.1:\(closed.port)/work/.git")
        let refused = await failure { _ = try await fetcher.fetch(wanted, deadline: .seconds(180)) }
        #expect(refused?.code == "fetch-auth")
        wanted.username = "me"
        wanted.token = "wrong"
        let wrong = await failure { _ = try await fetcher.fetch(wanted, deadline: .seconds(180)) }
        #expect(wrong?.code == "fetch-auth")
        #expect(!"\(wrong.map { "\($0)\($0.evidence)\($0.hints)" } ?? "")".contains("wrong"))
        wanted.token = "s3cret"
        #expect(try await fetcher.fetch(wanted, deadline: .seconds(180)) == second)
    }

    @Test func fetchesSeveralReferencesAndReportsTheFirst() async throws {
        try fixture.git("branch", "old", in: fixture.work)
        try fixture.git("tag", "-a", "-m", "one", "v1", in: fixture.work)
        let second = try fixture.commitAll("Second")
        let all = try spec(fixture.work, ["refs/tags/v1", "refs/heads/main", "refs/heads/old"])
        #expect(try await fetcher.fetch(all, deadline: .seconds(180)) == first)
        #expect(try GitRepository(opening: mirror).resolve("main") == second)
        #expect(try GitRepository(opening: mirror).resolve("old") == first)
    }

    @Test func tellsAMissingBranchFromAnEmptyAndAMissingRepository() async throws {
        try fixture.git("branch", "develop", in: fixture.work)
        let gone = await failure {
            _ = try await fetcher.fetch(try spec(fixture.work, ["refs/heads/nope"]), deadline: .seconds(180))
        }
        #expect(gone?.code == "fetch-branch-gone")
        #expect(gone?.message.contains("'nope'") == true)
        #expect(gone?.evidence == ["branches: develop, main"])
        try fixture.git("init", "-q", "--bare", "empty.git")
        let empty = await failure {
            _ = try await fetcher.fetch(try spec("\(fixture.root)/empty.git"), deadline: .seconds(180))
        }
        #expect(empty?.code == "fetch-empty")
        let missing = await failure {
            _ = try await fetcher.fetch(try spec("\(fixture.root)/none.git"), deadline: .seconds(180))
        }
        #expect(missing?.code == "fetch-not-found")
    }

    @Test func sweepsWhatAKilledFetchLeft() async throws {
        _ = try await fetcher.fetch(try spec(fixture.work), deadline: .seconds(180))
        let second = try fixture.commitAll("Second")
        try fixture.write("mirror.git/objects/pack/pack_git2_abc123", "half a pack")
        try fixture.write("mirror.git/refs/heads/main.lock", "")
        try fixture.write("mirror.git/packed-refs.lock", "")
        // The server's, at work for another environment: it is not swept away under it.
        try fixture.write("mirror.git/refs/kinto/next/1.lock", "")
        #expect(try await fetcher.fetch(try spec(fixture.work), deadline: .seconds(180)) == second)
        #expect(!Files.exists("\(mirror)/objects/pack/pack_git2_abc123"))
        #expect(!Files.exists("\(mirror)/packed-refs.lock"))
        #expect(!Files.exists("\(mirror)/refs/heads/main.lock"))
        #expect(Files.exists("\(mirror)/refs/kinto/next/1.lock"))
        // A dead one stops nobody either.
        try GitRepository(opening: mirror).pin(second, name: "next/1")
    }

    @Test func twoFetchesIntoOneRepositoryDoNotMix() async throws {
        _ = try await fetcher.fetch(try spec(fixture.work), deadline: .seconds(180))
        let held = try FetchMirror(mirror)
        let busy = await failure {
            _ = try await fetcher.fetch(try spec(fixture.work), deadline: .seconds(180))
        }
        withExtendedLifetime(held) {}
        #expect(busy?.code == "fetch-busy")
    }

    @Test func aPortWhereNobodyListensIsUnreachable() async throws {
        let port = try SilentServer(answers: false).port
        let closed = await failure {
            _ = try await fetcher.fetch(try spec("http://127.0.0.1:\(port)/x.git"), deadline: .seconds(180))
        }
        #expect(closed?.code == "fetch-unreachable")
    }

    @Test(arguments: ["http", "ssh"]) func aServerThatNeverAnswersIsLeftAtTheDeadline(_ scheme: String)
        async throws
    {
        let server = try SilentServer()
        let late = await failure {
            _ = try await fetcher.fetch(
                try spec("\(scheme)://127.0.0.1:\(server.port)/x.git"), deadline: .seconds(1))
        }
        #expect(late?.code == "fetch-timeout")
        // The child is gone: its lock is free again, and so is its end of the connection.
        _ = try FetchMirror(mirror)
        #expect(await server.peerIsGone())
    }

    /// Where a cloud tells a machine its secrets no repository is.
    @Test(arguments: [
        "http://169.254.169.254/x.git", "https://[fe80::1]/x.git", "ssh://git@169.254.169.254/x.git",
    ])
    func nothingIsFetchedFromAddressesOfALink(_ address: String) async throws {
        let refused = await failure {
            _ = try await fetcher.fetch(try spec(address), deadline: .seconds(180))
        }
        #expect(refused?.code == "address-refused", "\(String(describing: refused))")
    }

    @Test func aRedirectToAnotherHostIsNotFollowed() async throws {
        let (server, other) = (try SilentServer(), try SilentServer())
        var spec = try spec("http://127.0.0.1:\(server.port)/x.git")
        spec.token = "secret"
        async let outcome = failure { [fetcher, spec] in
            _ = try await fetcher.fetch(spec, deadline: .seconds(120))
        }
        try await server.answer(
            "HTTP/1.1 301 Moved\r\nLocation: http://localhost:\(other.port)/x.git/info/refs?service=git-upload-pack"
                + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        #expect(await outcome?.code == "fetch-redirect")
        #expect(!other.wasReached())
    }

    @Test func aCancelledFetchEndsAtOnce() async throws {
        let server = try SilentServer()
        let spec = try spec("http://127.0.0.1:\(server.port)/x.git")
        let fetcher = fetcher
        let task = Task { try await fetcher.fetch(spec, deadline: .seconds(600)) }
        // The child is there once it has connected.
        await server.waitForConnection()
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(await server.peerIsGone())
    }

    @Test func aChildThatDiesWithoutAnAnswerIsAFailure() async throws {
        let died = await failure {
            _ = try await Fetcher(program: "/bin/sh", arguments: ["-c", "echo oops; kill -9 $$"])
                .fetch(try spec(fixture.work), deadline: .seconds(180))
        }
        #expect(died?.code == "fetch-failed")
        #expect(died?.message.contains("signal 9") == true)
        #expect(died?.evidence == ["oops"])
        let absent = await failure {
            _ = try await Fetcher(program: "/nonexistent/kinto").fetch(
                try spec(fixture.work), deadline: .seconds(180))
        }
        #expect(absent?.code == "file-system")
    }

    @Test func theChildEndsWithItsParent() async throws {
        let server = try SilentServer()
        var ends: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0)
        var parentEnd: Descriptor? = Descriptor(owning: ends[0])
        let pid = try Spawn(
            path: try builtProduct("kinto"), arguments: ["kinto", "fetch"],
            standardInput: Descriptor(owning: ends[1]), newSession: true
        ).start()
        try parentEnd?.writeAll(Frame.encode(try spec("http://127.0.0.1:\(server.port)/x.git").fields))
        await server.waitForConnection()
        parentEnd = nil
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        #expect(status == 3 << 8)
    }

    @Test func overSSHTheHostAndTheKeyDecide() async throws {
        let server = try SSHServer(fixture.root)
        defer { server.stop() }
        var spec = try spec("ssh://\(server.user)@127.0.0.1:\(server.port)\(fixture.work)")
        spec.sshKey = server.key
        spec.knownHosts = "\(fixture.root)/known_hosts"
        let unknown = try #require(
            await failure { _ = try await fetcher.fetch(spec, deadline: .seconds(180)) })
        #expect(unknown.code == "host-key-unknown")
        #expect(unknown.evidence.first?.contains(server.fingerprint) == true)
        // The line that the failure gives is the one that helps.
        let line = try #require(unknown.evidence.last?.dropFirst("line: ".count))
        try fixture.write("known_hosts", "# ours\n\(line)\n")
        #expect(try await fetcher.fetch(spec, deadline: .seconds(180)) == first)
        // Hashed names, as ssh-keygen -H and many distributions write them; and RSA lines first, as
        // ssh-keyscan.
        try fixture.run(["ssh-keygen", "-q", "-H", "-f", "known_hosts"])
        #expect(try !fixture.read("known_hosts").contains("127.0.0.1"))
        #expect(try await fetcher.fetch(spec, deadline: .seconds(180)) == first)
        let other = try SSHServer.makeKey("other", fixture.root)
        try fixture.write("known_hosts", "[127.0.0.1]:\(server.port) \(other)\n")
        let changed = await failure { _ = try await fetcher.fetch(spec, deadline: .seconds(180)) }
        #expect(changed?.code == "host-key-changed")
        try fixture.write(
            "known_hosts",
            "\(line)\n@revoked * \(line.split(separator: " ").dropFirst().joined(separator: " "))\n")
        let revoked = await failure { _ = try await fetcher.fetch(spec, deadline: .seconds(180)) }
        #expect(revoked?.code == "host-key-changed")
        try fixture.write("known_hosts", "\(line)\n")
        spec.sshKey = "\(fixture.root)/other"
        let stranger = await failure { _ = try await fetcher.fetch(spec, deadline: .seconds(180)) }
        #expect(stranger?.code == "fetch-auth")
    }
}
