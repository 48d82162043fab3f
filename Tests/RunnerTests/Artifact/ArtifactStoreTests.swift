// SPDX-License-Identifier: Apache-2.0
import Glibc
import KintoCore
import Testing
import Wire

@testable import Runner

@Suite struct ArtifactStoreTests {
    let fixture: GitFixture
    let store: ArtifactStore

    init() throws {
        fixture = try GitFixture()
        store = try ArtifactStore(root: "\(fixture.root)/artifacts")
    }

    private func makeTree(_ name: String = "build") throws -> String {
        try fixture.write("\(name)/bin/app", "program", mode: 0o755)
        try fixture.write("\(name)/lib/deep/er/data", "data")
        try fixture.write("\(name)/odd \\ name\nhere", "odd")
        try Files.makeDirectories("\(fixture.root)/\(name)/empty", mode: 0o755)
        symlink("bin/app", "\(fixture.root)/\(name)/app")
        return "\(fixture.root)/\(name)"
    }

    private func status(_ path: String) throws -> stat {
        var status = stat()
        try #require(lstat(path, &status) == 0)
        return status
    }

    @Test func movesTheTreeInAndMakesItsFilesReadOnly() throws {
        let build = try makeTree()
        try #require(chmod("\(build)/bin/app", 0o6755) == 0)
        let before = try status("\(build)/bin/app").st_ino
        let stored = try store.store(build, id: "web-1")
        #expect(stored.warnings == [])
        #expect(stored.artifact.files == 4)
        #expect(stored.artifact.bytes == 14)
        #expect(stored.artifact.path == "\(store.root)/web-1/tree")
        #expect(!Files.exists(build))
        let app = try status("\(stored.artifact.path)/bin/app")
        #expect(app.st_ino == before)
        #expect(app.st_mode & 0o7777 == 0o555)
        #expect(try status("\(stored.artifact.path)/lib/deep/er/data").st_mode & 0o7777 == 0o444)
        #expect(try status("\(stored.artifact.path)/lib").st_mode & 0o700 == 0o700)
        #expect(try Files.list(store.root) == ["web-1"])
        try store.verify(stored.artifact)
        try store.verify(stored.artifact, hashAll: true)
    }

    @Test func theSameTreeHasTheSameHashAndAnyChangeAnother() throws {
        let first = try store.store(makeTree(), id: "a").artifact
        let second = try store.store(makeTree(), id: "b").artifact
        #expect(first.sha256 == second.sha256)
        #expect(first.sha256.utf8.count == 64)
        var seen: Set<String> = [first.sha256]
        let changes: [(String) throws -> Void] = [
            { try fixture.write("\($0)/bin/app", "programm", mode: 0o755) },
            { try fixture.write("\($0)/bin/app", "program", mode: 0o644) },
            { try fixture.write("\($0)/more", "") },
            { try Files.makeDirectories("\(fixture.root)/\($0)/empty2", mode: 0o755) },
            { try #require(rmdir("\(fixture.root)/\($0)/empty") == 0) },
            {
                try #require(unlink("\(fixture.root)/\($0)/app") == 0)
                symlink("bin/./app", "\(fixture.root)/\($0)/app")
            },
        ]
        for (index, change) in changes.enumerated() {
            let build = try makeTree()
            try change("build")
            let hash = try store.store(build, id: "c\(index)").artifact.sha256
            #expect(seen.insert(hash).inserted, "change \(index)")
        }
    }

    @Test func leavesSpecialFilesOutAndNamesLinksThatPointOutside() throws {
        let build = try makeTree()
        mkfifo("\(build)/pipe", 0o644)
        let socket = try UnixSocket.listen("\(build)/socket")
        symlink("/etc/passwd", "\(build)/lib/absolute")
        symlink("../../x", "\(build)/lib/up")
        symlink("../bin", "\(build)/lib/inside")
        let stored = try store.store(build, id: "a")
        withExtendedLifetime(socket) {}
        try #require(stored.warnings.count == 2)
        #expect(stored.warnings[0].contains("pipe, socket"))
        #expect(stored.warnings[1].contains("lib/absolute, lib/up."))
        #expect(!Files.exists("\(stored.artifact.path)/pipe"))
        #expect(!Files.exists("\(stored.artifact.path)/socket"))
        #expect(try status("\(stored.artifact.path)/lib/absolute").st_mode & S_IFMT == S_IFLNK)
        #expect(try status("/etc/passwd").st_mode & 0o200 == 0o200)
    }

    /// Scenario 52: what a hostile build can leave. Kept as it is, stripped or left out, never followed; nothing waits for the
    /// other end of a FIFO.
    @Test func aHostileTreeIsStoredByTheRules() throws {
        let build = try makeTree("hostile")
        let outside = "\(fixture.root)/outside"
        try fixture.write("outside/file", "not yours", mode: 0o600)
        mkfifo("\(build)/lib/pipe", 0o666)
        let socket = try UnixSocket.listen("\(build)/lib/socket")
        var special = ["lib/pipe", "lib/socket"]
        if geteuid() == 0 {
            try #require(mknod("\(build)/device", S_IFCHR | 0o666, 1 << 8 | 5) == 0)
            special.append("device")
        }
        symlink(outside, "\(build)/lib/absolute")
        symlink("../../outside/file", "\(build)/lib/up")
        symlink("loop", "\(build)/loop")
        try #require(link("\(outside)/file", "\(build)/hard") == 0)
        try #require(chmod("\(build)/bin/app", 0o7777) == 0)
        try #require(chmod("\(build)/lib", 0o3777) == 0)
        let names = [
            "new\nline", " ", "-rf", "\u{1B}[2J", "a\\b", "\u{202E}txt", String(repeating: "x", count: 255),
        ]
        try Files.makeDirectories("\(build)/odd", mode: 0o755)
        for name in names {
            try Descriptor.open("\(build)/odd/\(name)", O_CREAT | O_WRONLY, mode: 0o644).writeAll(name.utf8)
        }
        let bytes: [CChar] = Array("\(build)/odd/".utf8CString.dropLast()) + [-1, -2, 0]
        try Descriptor(owning: open(bytes, O_WRONLY | O_CREAT, 0o644)).writeAll("no UTF-8".utf8)
        for number in 0..<20_000 {
            try Descriptor.open("\(build)/odd/many\(number)", O_CREAT | O_WRONLY, mode: 0o644).writeAll([])
        }
        // A gigabyte of nothing is stored, as it is.
        try #require(truncate("\(build)/lib/deep/er/data", 1 << 30) == 0)

        let stored = try store.store(build, id: "a")
        withExtendedLifetime(socket) {}
        let tree = stored.artifact.path
        #expect(stored.warnings.count == 2)
        for name in special {
            #expect(stored.warnings[0].contains(name), "\(stored.warnings)")
            #expect(!Files.exists("\(tree)/\(name)"))
        }
        #expect(stored.warnings[1].contains("lib/absolute, lib/up."))
        for name in ["lib/absolute", "lib/up", "loop"] {
            #expect(try status("\(tree)/\(name)").st_mode & S_IFMT == S_IFLNK)
        }
        #expect(try status("\(outside)/file").st_mode & 0o7777 == 0o600)
        #expect(try status("\(tree)/hard").st_ino != status("\(outside)/file").st_ino)
        #expect(try status("\(tree)/bin/app").st_mode & 0o7777 == 0o555)
        #expect(try status("\(tree)/lib").st_mode & 0o7000 == 0)
        // Those of every tree, the links and the hard link, and the odd names. Links count.
        #expect(stored.artifact.files == 4 + 4 + names.count + 1 + 20_000)
        for name in names { #expect(try fixture.read("artifacts/a/tree/odd/\(name)") == name) }
        #expect(try status("\(tree)/lib/deep/er/data").st_blocks < 1000)
        try store.verify(stored.artifact)
    }

    /// Scenario 52: a sparse file of a terabyte is refused at once, and neither read nor copied.
    @Test func aSparseTerabyteIsRefused() throws {
        let build = try makeTree()
        try #require(truncate("\(build)/lib/deep/er/data", 1 << 40) == 0)
        #expect(failureCode { _ = try store.store(build, id: "a") } == "artifact-refused")
        #expect(try Files.list(store.root) == [])
    }

    @Test func aFileWithAnotherNameOutsideIsCopied() throws {
        let build = try makeTree()
        try fixture.write("cache/object", "shared")
        try #require(link("\(fixture.root)/cache/object", "\(build)/object") == 0)
        let artifact = try store.store(build, id: "a").artifact
        #expect(try status("\(fixture.root)/cache/object").st_mode & 0o777 == 0o644)
        #expect(try status("\(artifact.path)/object").st_nlink == 1)
        try Descriptor.open("\(fixture.root)/cache/object", O_WRONLY).writeAll(Array("BROKEN".utf8))
        #expect(try fixture.read("artifacts/a/tree/object") == "shared")
        try store.verify(artifact, hashAll: true)
        #expect(try Files.list(artifact.path).allSatisfy { !$0.hasPrefix(".kinto") })
    }

    @Test func takesATreeFromAnotherFileSystem() throws {
        let other = try GitFixture(in: "/dev/shm")
        let build = "\(other.root)/build"
        try other.write("build/bin/app", "program", mode: 0o755)
        symlink("bin/app", "\(build)/app")
        mkfifo("\(build)/pipe", 0o644)
        // The same tree moved within the file system has the same hash.
        try fixture.write("here/bin/app", "program", mode: 0o755)
        symlink("bin/app", "\(fixture.root)/here/app")
        let copied = try store.store(build, id: "a")
        let moved = try store.store("\(fixture.root)/here", id: "b")
        #expect(copied.artifact.sha256 == moved.artifact.sha256)
        #expect(!Files.exists(build))
        #expect(copied.warnings.count == 1)
    }

    @Test func allowsFilesThatAServiceAdds() throws {
        let artifact = try store.store(makeTree(), id: "a").artifact
        try fixture.write("artifacts/a/tree/cache/new", "new")
        try store.verify(artifact)
        // A file that was only touched, or copied back from a backup, is read again and found to be the same.
        try fixture.run(["touch", "\(artifact.path)/lib/deep/er/data"])
        try store.verify(artifact)
    }

    @Test func findsWhatIsMissingOrChanged() throws {
        func damage(_ id: String, _ body: (String) throws -> Void) throws -> Failure? {
            let artifact = try store.store(makeTree(), id: id).artifact
            try body(artifact.path)
            do { try store.verify(artifact) } catch { return error as? Failure }
            return nil
        }
        let changed = try damage("a") { path in
            chmod("\(path)/lib/deep/er/data", 0o644)
            try Files.replace("\(path)/lib/deep/er/data", with: Array("atad".utf8), mode: 0o444)
        }
        #expect(changed?.code == "artifact-damaged")
        #expect(changed?.message.contains("lib/deep/er/data changed") == true)
        let missing = try damage("b") { path in unlink("\(path)/bin/app") }
        #expect(missing?.message.contains("bin/app is missing") == true)
        let swapped = try damage("c") { path in
            rename("\(path)/lib", "\(path)/lib2")
            symlink("lib2", "\(path)/lib")
        }
        #expect(swapped?.message.contains("lib changed") == true)
        let link = try damage("d") { path in
            unlink("\(path)/app")
            symlink("bin", "\(path)/app")
        }
        #expect(link?.message.contains("app changed") == true)
        let mode = try damage("e") { path in chmod("\(path)/bin/app", 0o444) }
        #expect(mode?.message.contains("bin/app changed") == true)
        let manifest = try damage("f") { path in
            let file = "\(Files.parent(of: path))/manifest"
            var bytes = try Files.read(file)
            bytes[bytes.count - 2] ^= 1
            try Files.replace(file, with: bytes)
        }
        #expect(manifest?.code == "artifact-damaged")
        let gone = try damage("g") { path in try Files.removeTree(path) }
        #expect(gone?.code == "artifact-missing")
    }

    @Test func namesAtMostFiveFiles() throws {
        let build = "\(fixture.root)/build"
        for index in 0..<9 { try fixture.write("build/f\(index)", "x") }
        let artifact = try store.store(build, id: "a").artifact
        for index in 0..<9 { unlink("\(artifact.path)/f\(index)") }
        #expect(throws: Failure.self) { try store.verify(artifact) }
        do { try store.verify(artifact) } catch {
            #expect("\(error)".contains("f4 is missing and 4 more"))
            #expect(!"\(error)".contains("f5"))
        }
    }

    @Test func removesAndSweeps() throws {
        _ = try store.store(makeTree(), id: "kept")
        _ = try store.store(makeTree(), id: "unknown")
        _ = try store.store(makeTree(), id: "doomed")
        try store.remove("doomed")
        try store.remove("doomed")
        try fixture.write("artifacts/.new-half/tree/file", "half")
        try fixture.write("artifacts/.removed-x/tree/file", "half")
        try fixture.write("artifacts/notes", "not ours")
        #expect(try Set(store.sweepUnpublished(known: ["kept"])) == ["unknown", ".new-half", ".removed-x"])
        #expect(try Set(Files.list(store.root)) == ["kept", "notes"])
    }

    @Test func refusesIDsThatAreNoNames() throws {
        let build = try makeTree()
        for id in ["", ".", "..", ".hidden", "a/b", "../x", "a\0", "a b", String(repeating: "x", count: 129)]
        {
            #expect(failureCode { _ = try store.store(build, id: id) } == "invalid-name")
            #expect(failureCode { try store.remove(id) } == "invalid-name")
        }
        _ = try store.store(build, id: "a")
        #expect(failureCode { _ = try store.store(makeTree(), id: "a") } == "artifact-exists")
        #expect(failureCode { _ = try store.store("\(fixture.root)/none", id: "b") } == "file-system")
        #expect(
            failureCode { _ = try store.store("\(store.root)/a/manifest", id: "b") } == "artifact-refused")
        symlink("/etc", "\(fixture.root)/etc")
        #expect(failureCode { _ = try store.store("\(fixture.root)/etc", id: "b") } == "artifact-refused")
    }

    @Test func aCancelledStoreLeavesNothing() throws {
        let cancellation = Cancellation()
        cancellation.cancel()
        #expect(throws: CancellationError.self) {
            _ = try store.store(makeTree(), id: "a", cancellation: cancellation)
        }
        #expect(try Files.list(store.root) == [])
    }
}
