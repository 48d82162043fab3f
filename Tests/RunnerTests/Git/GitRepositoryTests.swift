// SPDX-License-Identifier: Apache-2.0
import Glibc
import KintoCore
import Testing
import Wire

@testable import Runner

@Suite struct GitRepositoryTests {
    let fixture: GitFixture
    let first: CommitID

    init() throws {
        fixture = try GitFixture()
        first = try fixture.makeRepository()
    }

    @Test func resolvesBranchesTagsHashesAndPrefixes() throws {
        try fixture.git("tag", "light", in: fixture.work)
        try fixture.git("tag", "-a", "-m", "annotated", "heavy", in: fixture.work)
        let tagObject = try fixture.git("rev-parse", "heavy", in: fixture.work)
        let repository = try GitRepository(opening: fixture.work)
        for name in [
            "main", "light", "heavy", "refs/heads/main", "refs/tags/heavy", tagObject, first.description,
            first.short,
            first.description.uppercased(),
        ] {
            #expect(try repository.resolve(name) == first, "\(name)")
        }
        for name in [
            "", "nothing", "refs/heads/nothing", "../HEAD", "main..x", "abcdef", "-main", "main^", "@{1}",
        ] {
            #expect(try repository.resolve(name) == nil, "\(name)")
        }
        #expect(try repository.resolve(String(repeating: "0", count: 40)) == nil)
    }

    @Test func aBranchWinsOverATagAndAHash() throws {
        let second = try fixture.commitAll("Second")
        try fixture.git("branch", first.short, second.description, in: fixture.work)
        try fixture.git("tag", "same", first.description, in: fixture.work)
        try fixture.git("branch", "same", second.description, in: fixture.work)
        let repository = try GitRepository(opening: fixture.work)
        #expect(try repository.resolve(first.short) == second)
        #expect(try repository.resolve("same") == second)
    }

    @Test func tellsWhatACommitSaysOfItself() throws {
        let commit = try fixture.commitAll("A subject\nin two lines\n\nBody")
        let info = try GitRepository(opening: fixture.work).commitInfo(commit)
        #expect(info.subject == "A subject in two lines")
        #expect(info.authorName == "Ada")
        #expect(info.authoredAt.milliseconds == 1_700_000_000_000)
        let missing = try #require(CommitID(String(repeating: "1", count: 40)))
        #expect(
            failureCode { _ = try GitRepository(opening: fixture.work).commitInfo(missing) }
                == "commit-missing")
    }

    @Test func knowsAncestors() throws {
        let second = try fixture.commitAll("Second")
        try fixture.git("checkout", "-q", "-b", "side", first.description, in: fixture.work)
        let side = try fixture.commitAll("Side")
        let repository = try GitRepository(opening: fixture.work)
        #expect(try repository.isAncestor(first, of: second))
        #expect(try repository.isAncestor(second, of: second))
        #expect(try !repository.isAncestor(second, of: first))
        #expect(try !repository.isAncestor(second, of: side))
    }

    @Test func readsFilesFromTheCommitsTree() throws {
        try fixture.write("work/app/kinto.json", "{}")
        symlink("kinto.json", "\(fixture.work)/app/link")
        symlink("app", "\(fixture.work)/linked")
        try fixture.commitAll("Files")
        let commit = try fixture.commitSubmodule("module", at: first)
        let repository = try GitRepository(opening: fixture.work)
        func read(_ path: String, limit: Int = 100) throws -> CommittedFile {
            try repository.readFile(commit, path: path, limit: limit)
        }
        #expect(try read("app/kinto.json") == .found(Array("{}".utf8)))
        #expect(try read("app/kinto.json", limit: 2) == .found(Array("{}".utf8)))
        #expect(try read("app/kinto.json", limit: 1) == .tooLarge(2))
        #expect(try read("app") == .directory)
        #expect(try read("app/link") == .symlink)
        #expect(try read("linked/kinto.json") == .symlink)
        #expect(try read("module") == .submodule)
        for path in [
            "", "/", "nothing", "app/nothing", "README/x", "app//kinto.json", "../README", "./README",
        ] {
            #expect(try read(path) == .missing, "\(path)")
        }
    }

    @Test func aPinnedCommitOutlivesForcePushAndGarbageCollection() throws {
        try fixture.git("clone", "-q", "--bare", fixture.work, "\(fixture.root)/bare.git")
        let bare = "\(fixture.root)/bare.git"
        let pinned = try fixture.commitAll("Pinned")
        try fixture.git("push", "-q", bare, "main", in: fixture.work)
        // A server that was killed in the middle of it leaves its lock behind.
        try Files.makeDirectories("\(bare)/refs/kinto/release")
        try Files.replace("\(bare)/refs/kinto/release/7.lock", with: [])
        try GitRepository(opening: bare).pin(pinned, name: "release/7")
        try fixture.git("reset", "-q", "--hard", first.description, in: fixture.work)
        try fixture.git("push", "-q", "-f", bare, "main", in: fixture.work)
        try fixture.git("gc", "-q", "--prune=now", in: bare)
        let repository = try GitRepository(opening: bare)
        #expect(try repository.commitInfo(pinned).subject == "Pinned")
        #expect(try repository.pins() == ["release/7": pinned])
        try repository.unpin("release/7")
        try repository.unpin("release/7")
        try fixture.git("gc", "-q", "--prune=now", in: bare)
        let code = failureCode { _ = try GitRepository(opening: bare).commitInfo(pinned) }
        #expect(code == "commit-missing")
    }

    @Test func makesABareRepositoryThatChecksWhatItIsSent() throws {
        let bare = "\(fixture.root)/deep/er/new.git"
        try GitRepository.createBare(bare)
        let repository = try GitRepository(opening: bare)
        #expect(try repository.isEmpty())
        #expect(try repository.defaultBranch() == "main")
        #expect(try fixture.git("config", "receive.fsckObjects", in: bare) == "true")
        #expect(try fixture.git("config", "receive.advertisePushOptions", in: bare) == "true")
        try fixture.git("push", "-q", bare, "main", in: fixture.work)
        #expect(try !GitRepository(opening: bare).isEmpty())
        #expect(try GitRepository(opening: bare).resolve("main") == first)
        #expect(failureCode { try GitRepository.createBare(bare) } == "repository-exists")
        // One that a process died over is brought to its end, and nothing is left beside it.
        let half = "\(fixture.root)/half.git"
        try Files.makeDirectories("\(half)/objects/info")
        try Files.replace("\(half)/config.lock", with: Array("[core]\n".utf8))
        try Files.makeDirectories("\(fixture.root)/half.git.making-1/objects")
        try GitRepository.createBare(half)
        #expect(try GitRepository(opening: half).isEmpty())
        #expect(failureCode { try GitRepository.createBare(half) } == "repository-exists")
        #expect(try Files.list(fixture.root).filter { $0.contains("making") } == ["half.git.making-1"])
        // A tree that git would not check out does not get in.
        let hostile = try fixture.commit(entries: [("100644", Array(".git".utf8), try fixture.blob("x"))])
        let push = try fixture.run(["git", "push", bare, "\(hostile):refs/heads/bad"], in: fixture.work)
        #expect(push.status != 0)
        #expect(try GitRepository(opening: bare).resolve("bad") == nil)
    }

    @Test func readsTheManifestOfAPushThatIsStillInQuarantine() throws {
        let bare = "\(fixture.root)/bare.git"
        try GitRepository.createBare(bare)
        try fixture.write("work/kinto.json", "quarantined")
        let commit = try fixture.commitAll("New")
        // The hook keeps the push waiting until the reader is done.
        try fixture.run(["mkfifo", "\(fixture.root)/ready", "\(fixture.root)/done"])
        try fixture.write(
            "bare.git/hooks/pre-receive",
            "#!/bin/sh\necho \"$GIT_QUARANTINE_PATH\" > \(fixture.root)/ready\nread x < \(fixture.root)/done\nexit 1\n",
            mode: 0o755)
        let pid = try Spawn(
            path: "/usr/bin/git", arguments: ["git", "push", "-q", bare, "main"],
            environment: ["PATH=/usr/bin:/bin", "GIT_CONFIG_GLOBAL=/dev/null"], workingDirectory: fixture.work
        ).start()
        defer { waitpid(pid, nil, 0) }
        let path = String(decoding: try Files.read("\(fixture.root)/ready").dropLast(), as: UTF8.self)
        defer { try? Files.release("\(fixture.root)/done") }
        #expect(failureCode { _ = try GitRepository(opening: bare).commitInfo(commit) } == "commit-missing")
        let inside = try GitRepository(opening: bare, quarantine: path)
        #expect(
            try inside.readFile(commit, path: "kinto.json", limit: 100) == .found(Array("quarantined".utf8)))
        #expect(
            failureCode { _ = try GitRepository(opening: fixture.work, quarantine: path) }
                == "quarantine-outside")
        #expect(
            failureCode { _ = try GitRepository(opening: bare, quarantine: "\(bare)/objects/../hooks") }
                == "quarantine-outside")
    }

    @Test func refusesWhatIsNoRepositoryOrNotOurs() throws {
        #expect(
            failureCode { _ = try GitRepository(opening: "\(fixture.root)/none") } == "repository-missing")
        #expect(failureCode { _ = try GitRepository(opening: fixture.root) } == "repository-missing")
        #expect(failureCode { _ = try GitRepository(opening: "work") } == "repository-missing")
        // Parents are not searched.
        try fixture.write("work/sub/file", "")
        #expect(failureCode { _ = try GitRepository(opening: "\(fixture.work)/sub") } == "repository-missing")
        if geteuid() == 0 {
            try #require(chown(fixture.work, 12345, 12345) == 0)
            #expect(failureCode { _ = try GitRepository(opening: fixture.work) } == "repository-owner")
            _ = try GitRepository(opening: fixture.work, trust: .registered)
        } else {
            // Root's directories are trusted: what is missing there is the repository.
            #expect(failureCode { _ = try GitRepository(opening: "/") } == "repository-missing")
        }
    }

    @Test func theExecutorRunsWorkOnItsOwnThreadsAndObeysCancellation() async throws {
        let executor = try GitExecutor(threads: 1)
        let work = fixture.work
        let first = first
        #expect(try await executor.run { try GitRepository(opening: work).resolve("main") } == first)
        await #expect(throws: Failure.self) { try await executor.run { throw Failure(code: "x", "y") } }
        let task = Task {
            try await executor.run { (cancellation: Cancellation) in
                while !cancellation.isCancelled { sched_yield() }
                try cancellation.check()
            }
        }
        // The only thread is busy: this one never begins.
        let queued = Task { try await executor.run { () } }
        queued.cancel()
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        await #expect(throws: CancellationError.self) { try await queued.value }
    }
}

extension Files {
    /// Writes a line into a FIFO, which lets its reader go on.
    static func release(_ path: String) throws {
        try Descriptor.open(path, O_WRONLY).writeAll(Array("\n".utf8))
    }
}
