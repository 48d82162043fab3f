// SPDX-License-Identifier: Apache-2.0
import Glibc
import KintoCore
import Testing
import Wire

@testable import Runner

@Suite struct TreeExtractorTests {
    let fixture: GitFixture
    let first: CommitID
    var destination: String { "\(fixture.root)/out" }
    var extractor: TreeExtractor { TreeExtractor(repository: fixture.work) }

    init() throws {
        fixture = try GitFixture()
        first = try fixture.makeRepository()
    }

    @Test func writesTheSameTreeAsGit() throws {
        for directory in 0..<12 {
            for file in 0..<40 {
                try fixture.write(
                    "work/d\(directory)/e/f\(file)", String(repeating: "\(file)\n", count: directory * file))
            }
        }
        try fixture.write("work/run.sh", "#!/bin/sh\n", mode: 0o755)
        try fixture.write("work/name with \\ and\nline", "odd")
        try fixture.write("work/README2", "case")
        try fixture.write("work/readme2", "CASE")
        symlink("../outside", "\(fixture.work)/d1/link")
        let commit = try fixture.commitAll("Tree")
        try fixture.git("gc", "-q", in: fixture.work)
        // Whatever the umask of the process.
        let result = try extractor.extract(commit, to: destination)
        #expect(result.files == 486)
        #expect(result.warnings == [])
        try fixture.git("worktree", "add", "-q", "--detach", "\(fixture.root)/git", "main", in: fixture.work)
        unlink("\(fixture.root)/git/.git")
        let difference = try fixture.run([
            "diff", "-r", "--no-dereference", "\(fixture.root)/git", destination,
        ])
        #expect(difference.status == 0, "\(difference.output)")
        var status = stat()
        #expect(stat("\(destination)/run.sh", &status) == 0 && status.st_mode & 0o7777 == 0o755)
        #expect(stat("\(destination)/README", &status) == 0 && status.st_mode & 0o7777 == 0o644)
        #expect(stat("\(destination)/d1", &status) == 0 && status.st_mode & 0o7777 == 0o755)
    }

    @Test func writesOnlyTheAskedForDirectory() throws {
        try fixture.write("work/apps/web/index.js", "web")
        let commit = try fixture.commitAll("Monorepo")
        #expect(try extractor.extract(commit, root: "apps/web", to: destination).files == 1)
        #expect(try fixture.read("out/index.js") == "web")
        #expect(try extractor.extract(commit, root: ".", to: destination + "2").files == 2)
        for root in ["apps/api", "README", "apps/web/index.js", "..", "apps/../apps"] {
            #expect(
                failureCode { _ = try extractor.extract(commit, root: root, to: destination + "3") }
                    == "root-missing")
        }
        #expect(!Files.exists(destination + "3"))
    }

    static let hostileNames: [[UInt8]] =
        [
            ".", "..", ".git", ".GIT", ".Git", "git~1", "GIT~1", ".git ", ".git.", ".git. .",
            ".git::$INDEX_ALLOCATION",
            ".git\\config", "a\\.git\\b", "a/b", "../x", "/etc", ".g\u{200C}it", "\u{FEFF}.git",
            ".gi\u{206F}t",
        ].map { Array($0.utf8) } + [[UInt8](repeating: 97, count: 256)]

    @Test(arguments: hostileNames)
    func refusesNamesThatMustNotBeWritten(_ name: [UInt8]) throws {
        let blob = try fixture.blob("hostile")
        let inner = try fixture.tree([("100644", Array("file".utf8), blob)])
        for (mode, id) in [
            ("100644", blob), ("120000", blob), ("40000", inner), ("160000", first.description),
        ] {
            let below = try fixture.tree([(mode, name, id)])
            let commit = try fixture.commit(entries: [("40000", Array("sub".utf8), below)])
            #expect(
                failureCode { _ = try extractor.extract(commit, to: destination) } == "tree-refused",
                "\(mode)")
            #expect(!Files.exists(destination))
        }
        #expect(!Files.exists("\(fixture.root)/x"))
    }

    @Test(arguments: ["...", ".gitignore", ".gitmodules", "git~2", "..a", "a.git", "con", "ü", " "])
    func acceptsNamesThatOnlyLookOdd(_ name: String) throws {
        let commit = try fixture.commit(entries: [("100644", Array(name.utf8), try fixture.blob("fine"))])
        #expect(try extractor.extract(commit, to: destination).files == 1)
        #expect(try fixture.read("out/\(name)") == "fine")
    }

    @Test func refusesTheSameNameTwiceAndNothingGoesThroughALink() throws {
        let outside = "\(fixture.root)/outside"
        try #require(mkdir(outside, 0o755) == 0)
        let link = try fixture.blob(outside)
        let file = try fixture.blob("planted")
        let inner = try fixture.tree([("100644", Array("planted".utf8), file)])
        let name = Array("a".utf8)
        for entries in [
            [("120000", name, link), ("40000", name, inner)],
            [("40000", name, inner), ("120000", name, link)],
            [("120000", name, link), ("100644", name, file)],
            [("100644", name, file), ("100644", name, file)],
            [("40000", name, inner), ("40000", name, inner)],
        ] as [[(String, [UInt8], String)]] {
            let commit = try fixture.commit(entries: entries.map { (mode: $0.0, name: $0.1, id: $0.2) })
            #expect(failureCode { _ = try extractor.extract(commit, to: destination) } == "tree-refused")
            #expect(!Files.exists(destination))
            #expect(try Files.list(outside) == [])
            #expect(Files.isDirectory(outside))
        }
    }

    @Test func refusesLinksWithoutATargetAndUnknownKinds() throws {
        let empty = try fixture.commit(entries: [("120000", Array("l".utf8), try fixture.blob(""))])
        #expect(failureCode { _ = try extractor.extract(empty, to: destination) } == "tree-refused")
        let nul = try fixture.commit(entries: [("120000", Array("l".utf8), try fixture.blob("a\0b"))])
        #expect(failureCode { _ = try extractor.extract(nul, to: destination) } == "tree-refused")
        let pipe = try fixture.commit(entries: [("10000", Array("p".utf8), try fixture.blob("x"))])
        #expect(failureCode { _ = try extractor.extract(pipe, to: destination) } == "tree-refused")
    }

    @Test func saysWhatItLeavesOut() throws {
        try fixture.write("work/.gitattributes", "# eol=crlf\n* text=auto\n*.png filter=lfs -text\n")
        try fixture.write("work/sub/.gitattributes", "*.bat eol=crlf\n")
        try fixture.write(
            "work/big.png", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n")
        try fixture.commitAll("Left out")
        let commit = try fixture.commitSubmodule("lib/module", at: first)
        let result = try extractor.extract(commit, to: destination)
        try #require(result.warnings.count == 3)
        #expect(result.warnings[0].contains("lib/module"))
        #expect(result.warnings[1].contains("big.png"))
        #expect(result.warnings[2].contains("sub/.gitattributes"))
        #expect(!result.warnings[2].contains(": .gitattributes"))
        #expect(try Files.list("\(destination)/lib/module") == [])
    }

    @Test func holdsToItsLimits() throws {
        for index in 0..<20 { try fixture.write("work/f\(index)", "0123456789") }
        try fixture.write("work/a/b/c/d", "deep")
        let commit = try fixture.commitAll("Limits")
        func code(_ limits: TreeExtractor.Limits) -> String? {
            failureCode { _ = try extractor.extract(commit, to: destination, limits: limits) }
        }
        #expect(code(.init(entries: 24)) == "tree-too-large")
        #expect(code(.init(bytes: 209)) == "tree-too-large")
        #expect(code(.init(depth: 3)) == "tree-refused")
        #expect(!Files.exists(destination))
        #expect(code(.init(entries: 25, bytes: 210, depth: 4)) == nil)
    }

    @Test func aTreeThatHoldsItselfManyTimesIsStoppedByItsCount() throws {
        // Each level holds the one below ten times: 10^10 files in eleven objects.
        var tree = try fixture.tree([("100644", Array("f".utf8), try fixture.blob("x"))])
        for _ in 0..<10 { tree = try fixture.tree((0..<10).map { ("40000", Array("d\($0)".utf8), tree) }) }
        let commit = try #require(
            CommitID(try fixture.git("commit-tree", tree, "-m", "bomb", in: fixture.work)))
        let code = failureCode {
            _ = try extractor.extract(commit, to: destination, limits: .init(entries: 2000))
        }
        #expect(code == "tree-too-large")
        #expect(!Files.exists(destination))
    }

    @Test func treesFiveHundredDeepAreWritten() throws {
        var tree = try fixture.tree([("100644", Array("f".utf8), try fixture.blob("x"))])
        for _ in 0..<511 { tree = try fixture.tree([("40000", Array("d".utf8), tree)]) }
        let commit = try #require(
            CommitID(try fixture.git("commit-tree", tree, "-m", "deep", in: fixture.work)))
        #expect(try extractor.extract(commit, to: destination).files == 1)
    }

    @Test func leavesAnExistingDestinationAlone() throws {
        try fixture.write("out/mine", "mine")
        #expect(failureCode { _ = try extractor.extract(first, to: destination) } == "destination-exists")
        #expect(try fixture.read("out/mine") == "mine")
    }

    @Test func aDamagedRepositoryLeavesNothingBehind() throws {
        try fixture.write("work/lost", "this object goes away")
        let commit = try fixture.commitAll("Damage")
        let id = try fixture.git("rev-parse", "HEAD:lost", in: fixture.work)
        try #require(unlink("\(fixture.work)/.git/objects/\(id.prefix(2))/\(id.dropFirst(2))") == 0)
        #expect(failureCode { _ = try extractor.extract(commit, to: destination) } == "object-missing")
        #expect(!Files.exists(destination))
    }

    @Test func stopsWhenItIsCancelled() throws {
        let cancellation = Cancellation()
        cancellation.cancel()
        #expect(throws: CancellationError.self) {
            _ = try extractor.extract(first, to: destination, cancellation: cancellation)
        }
        #expect(!Files.exists(destination))
    }

    @Test(arguments: [ENOSPC, EDQUOT]) func aFullDiskHasItsOwnCode(_ code: Int32) {
        let failure = SystemError("write", "/srv/out/file", code: code).failure("The checkout")
        #expect(failure.code == "disk-full")
        #expect(failure.message.contains("/srv/out/file"))
        #expect(
            SystemError("write", "/srv/out/file", code: EIO).failure("The checkout").code == "file-system")
    }
}
