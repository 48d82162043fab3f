// SPDX-License-Identifier: Apache-2.0
import Glibc
import KintoCore
import Synchronization
import Testing
import Wire

@testable import Runner

@Suite struct SubmoduleTests {
    let fixture: GitFixture
    let first: CommitID

    init() throws {
        fixture = try GitFixture()
        first = try fixture.makeRepository()
    }

    // MARK: .gitmodules

    @Test func readsWhatGitWrites() throws {
        let text = """
            # comment
            [submodule "lib/a"]
            \tpath = lib/a
            \turl = ../a.git ; where it is
            \tupdate = !touch /tmp/owned
            [core]
            \tpath = nothing
            [include]
            \tpath = /etc/passwd
            [Submodule "quoted \\"name\\""]
              PATH="with space "
              url = "https://host/b#c;d"\r
            [submodule "half"]
            \tpath = half
            """
        let list = try SubmoduleList(Array(text.utf8))
        #expect(list.addresses == ["lib/a": "../a.git", "with space ": "https://host/b#c;d"])
        // git reads the same.
        try fixture.write("modules", text.replacing("[include]", with: "[other]"))
        let read = try fixture.git("config", "-f", "modules", "submodule.lib/a.url", in: fixture.root)
        #expect(read == "../a.git")
    }

    @Test(arguments: [
        "[submodule \"../../hooks\"]\npath=a\nurl=b", "[submodule \"a/../../b\"]\npath=a\nurl=b",
        "[submodule \"a\\\\..\\\\b\"]", "[submodule \"-u\"]", "[submodule \"\"]", "[submodule \"a]",
        "[submodule \"a\" b\"]", "[submodule \"a\"",
        "[submodule \"a\"]\npath=x\nurl=1\n[submodule \"b\"]\npath=x\nurl=2",
        "[submodule \"a\"]\nurl = \"open", "[submodule \"a\"]\nurl = a\\", "[submodule \"a\"]\nurl = a\\n",
        "\0",
    ])
    func refusesWhatCouldBeReadInTwoWays(_ text: String) {
        #expect(failureCode { _ = try SubmoduleList(Array(text.utf8)) } == "submodule-refused", "\(text)")
    }

    // MARK: Addresses

    @Test(arguments: [
        ("https://git.host/team/app.git", "../lib.git", "https://git.host/team/lib.git"),
        ("https://git.host/team/app.git/", "../../other/lib", "https://git.host/other/lib"),
        ("https://git.host:8443/app", "./lib", "https://git.host:8443/app/lib"),
        ("git@git.host:team/app.git", "../lib.git", "git@git.host:team/lib.git"),
        ("git@git.host:/srv/app.git", "../lib.git", "git@git.host:/srv/lib.git"),
        ("ssh://git@git.host:2222/srv/app", "../lib", "ssh://git@git.host:2222/srv/lib"),
        ("git@git.host:team/app", "https://git.host/team/lib", "https://git.host/team/lib"),
        ("http://127.0.0.1:80/app", "../lib", "http://127.0.0.1:80/lib"),
        ("https://git.host/app", "https://GIT.host:443/lib", "https://GIT.host:443/lib"),
        ("https://git.host/app", "https://other.host/lib", "https://other.host/lib"),
        ("https://git.host/app", "https://third.host:8443/lib", "https://third.host:8443/lib"),
        ("/srv/app.git", "https://other.host/lib", "https://other.host/lib"),
    ])
    func reachTheServicesHostAndThoseThatWereAllowed(_ own: String, _ url: String, _ wanted: String) throws {
        let own = try GitAddress(own)
        let rules = SubmoduleRules(own: own, hosts: ["Other.host", "third.host:8443"], service: "api")
        #expect(try rules.address(url, relativeTo: own).description == wanted)
    }

    @Test(arguments: [
        ("https://git.host/app", "https://evil.host/lib"),
        ("https://git.host/app", "https://git.host.evil/lib"),
        ("https://git.host/app", "https://git.host@evil.host/lib"),
        ("https://git.host/app", "https://git.host./lib"),
        ("https://git.host/app", "https://git.host:8443/lib"),
        ("https://git.host/app", "http://git.host/lib"),
        ("https://git.host/app", "http://127.0.0.1:7780/lib"),
        ("https://git.host/app", "https://169.254.169.254/x"),
        ("https://git.host/app", "ssh://git@git.host/lib"),
        ("https://git.host/app", "ssh://git@other.host/lib"),
        ("git@git.host:app", "ssh://git@git.host:2222/lib"), ("git@git.host:app", "git@evil.host:lib"),
        ("https://git.host/app", "https://third.host/lib"),
        ("https://git.host/app", "https://other.host:444/lib"),
        ("https://git.host/app", "file:///etc"), ("https://git.host/app", "/srv/git/secret.git"),
        ("file:///srv/app.git", "../secret.git"), ("/srv/app.git", "../secret.git"),
        ("https://git.host/app", "../../secret"), ("https://git.host/app", "../lib/../../../x"),
        ("https://git.host/app", ".."), ("git@git.host:app", "../../evil.host:lib"),
        ("git@git.host:app", "ext::sh -c id"), ("git@git.host:app", "-oProxyCommand=id"),
        ("git@git.host:app", "git@-oProxyCommand=id:lib"), ("git@git.host:app", "../-upload-pack=id;"),
        ("git@git.host:app", "../lib';id"), ("https://git.host/app", "https://me:pw@git.host/lib"),
        ("https://git.host/app", ""), ("https://git.host/app", "lib"),
    ])
    func reachNothingElse(_ own: String, _ url: String) throws {
        let own = try GitAddress(own)
        let rules = SubmoduleRules(own: own, hosts: ["other.host", "third.host:8443"], service: "api")
        #expect(failureCode { _ = try rules.address(url, relativeTo: own) } == "submodule-refused", "\(url)")
    }

    @Test func credentialsGoToTheServicesHostOnly() throws {
        func trusts(_ own: String?, _ other: String) throws -> Bool {
            SubmoduleRules(own: try own.map { try GitAddress($0) }, hosts: ["b", "a:8443"], service: "api")
                .isTrusted(try GitAddress(other))
        }
        #expect(try trusts("https://a/x", "https://A:443/y"))
        #expect(try trusts("git@a:x", "ssh://other@a/y"))
        // The token of a service that is fetched by ssh.
        #expect(try trusts("git@a:x", "https://a/y"))
        for (own, other) in [
            ("https://a/x", "https://b/y"), ("https://a/x", "https://a:8443/y"),
            ("https://a/x", "http://a/y"),
            ("https://a/x", "git@a:y"), ("git@a:x", "ssh://git@a:2222/y"), ("git@a:x", "https://a:8443/y"),
            ("/srv/x", "https://b/y"), ("https://a/x", "https://a.b/y"),
        ] { #expect(try !trusts(own, other), "\(own) \(other)") }
        #expect(try !trusts(nil, "https://b/y"))
    }

    // MARK: Trees

    /// Takes commits from where a test says they are.
    private struct Places: RemoteFetcher {
        let places: [String: String]
        var limits = FetchLimits()
        let asked: @Sendable (String, Bool) -> Void

        func fetch(
            _ service: RegisteredService, branch: String, log: @escaping @Sendable (LogLine) -> Void
        ) async throws -> CommitID { throw CancellationError() }

        func fetch(
            _ commit: CommitID, from address: GitAddress, for service: RegisteredService, isTrusted: Bool,
            deadline: Duration
        ) async throws -> String {
            asked(address.description, isTrusted)
            return try #require(places[address.description])
        }
    }

    private func submodules(
        of commit: CommitID, _ places: [String: String] = [:], limits: FetchLimits = FetchLimits(),
        isOfFork: Bool = false, asked: @escaping @Sendable (String, Bool) -> Void = { _, _ in }
    ) async throws -> [String: Submodule] {
        let service = RegisteredService(
            name: try ServiceName("api"), source: .remote, repository: "https://git.host/team/app.git",
            createdAt: .now, webhookSecret: "", submoduleHosts: ["other.host"])
        return try await Submodules(
            fetcher: Places(places: places, limits: limits, asked: asked), git: try GitExecutor(),
            service: service, isOfFork: isOfFork
        ).fetch(commit, in: fixture.work) { _ in }
    }

    private func list(_ entries: (path: String, url: String)...) -> String {
        entries.map { "[submodule \"\($0.path)\"]\n\tpath = \($0.path)\n\turl = \($0.url)\n" }.joined()
    }

    /// A repository at NAME with one commit of its files and of gitlinks.
    private func module(
        _ name: String, _ files: [String: String], _ links: [String: CommitID] = [:]
    ) throws -> CommitID {
        try fixture.git("init", "-q", "-b", "main", name)
        for (path, text) in files { try fixture.write("\(name)/\(path)", text) }
        let place = "\(fixture.root)/\(name)"
        try fixture.git("add", "-A", in: place)
        for (path, commit) in links {
            try fixture.git("update-index", "--add", "--cacheinfo", "160000,\(commit),\(path)", in: place)
        }
        try fixture.git("commit", "-q", "-m", "made", in: place)
        return try #require(CommitID(try fixture.git("rev-parse", "HEAD", in: place)))
    }

    @Test func writesSubmodulesAndThoseWithinThemAsGitDoes() async throws {
        let inner = try module("inner", ["inner.txt": "inner", "d/e": "e"])
        let outer = try module(
            "outer", ["outer.txt": "outer", ".gitmodules": list(("third/inner", "../../else/inner.git"))],
            ["third/inner": inner])
        try fixture.write(
            "work/.gitmodules",
            list(
                ("lib/outer", "../outer.git"), ("inner", "https://other.host/inner.git"),
                ("gone", "https://evil.host/x")))
        try fixture.commitAll("Modules")
        _ = try fixture.commitSubmodule("lib/outer", at: outer)
        let commit = try fixture.commitSubmodule("inner", at: inner)
        let places = [
            "https://git.host/team/outer.git": "\(fixture.root)/outer",
            "https://git.host/else/inner.git": "\(fixture.root)/inner",
            "https://other.host/inner.git": "\(fixture.root)/inner",
        ]
        let asked = Mutex<[String: Bool]>([:])
        let found = try await submodules(
            of: commit, places
        ) { address, isTrusted in asked.withLock { $0[address] = isTrusted } }
        #expect(Set(found.keys) == ["lib/outer", "lib/outer/third/inner", "inner"])
        #expect(
            asked.withLock { $0 } == [
                "https://git.host/team/outer.git": true, "https://git.host/else/inner.git": true,
                "https://other.host/inner.git": false,
            ])
        // A stranger writes what it likes there.
        _ = try await submodules(of: commit, places, isOfFork: true) { address, isTrusted in
            #expect(!isTrusted, "\(address)")
            asked.withLock { $0[address] = nil }
        }
        #expect(asked.withLock { $0 }.isEmpty)
        let extractor = TreeExtractor(repository: fixture.work)
        let destination = "\(fixture.root)/out"
        let result = try extractor.extract(commit, submodules: found, to: destination)
        #expect(result.files == 8 && result.warnings == [])
        #expect(try fixture.read("out/lib/outer/third/inner/d/e") == "e")
        #expect(try fixture.read("out/inner/inner.txt") == "inner")
        // Its limits are of all together.
        for limits in [
            TreeExtractor.Limits(entries: 10), .init(bytes: result.bytes - 1), .init(depth: 4),
        ] {
            let code = failureCode {
                _ = try extractor.extract(commit, submodules: found, to: destination + "2", limits: limits)
            }
            #expect(code == "tree-too-large" || code == "tree-refused")
            #expect(!Files.exists(destination + "2"))
        }
    }

    @Test func whatIsNotListedTooManyAndTooDeepIsRefusedWithItsPath() async throws {
        let unlisted = try fixture.commitSubmodule("lib/a", at: first)
        let one = await failure { _ = try await submodules(of: unlisted) }
        #expect(one?.code == "submodule-refused" && one?.message.hasPrefix("Submodule 'lib/a': ") == true)
        try fixture.write("work/.gitmodules", list(("lib/a", "../a"), ("lib/b", "../a")))
        try fixture.commitAll("Listed")
        let two = try fixture.commitSubmodule("lib/b", at: first)
        let places = ["https://git.host/team/a": "\(fixture.root)/a"]
        let plain = try module("a", ["f": "x"])
        try fixture.git("update-index", "--add", "--cacheinfo", "160000,\(plain),lib/a", in: fixture.work)
        try fixture.git("update-index", "--add", "--cacheinfo", "160000,\(plain),lib/b", in: fixture.work)
        try fixture.git("commit", "-q", "-m", "at", in: fixture.work)
        let commit = try fixture.head()
        #expect(two != commit)
        #expect(try await submodules(of: commit, places).count == 2)
        let many = await failure {
            _ = try await submodules(of: commit, places, limits: try FetchLimits(["submodules=1"]))
        }
        #expect(many?.code == "submodule-refused" && many?.message.contains("limit submodules") == true)
        // A chain of modules, each in the one before.
        var (links, files): ([String: CommitID], [String: String]) = ([:], ["f": "end"])
        var chain: [String: String] = [:]
        for index in 0..<6 {
            let commit = try module("m\(index)", files, links)
            chain["https://git.host/team/m\(index)"] = "\(fixture.root)/m\(index)"
            (links, files) = (["x": commit], [".gitmodules": list(("x", "../m\(index)"))])
        }
        let top = try module("top", files, links)
        try fixture.git("fetch", "-q", "\(fixture.root)/top", "main", in: fixture.work)
        let deep = await failure { _ = try await submodules(of: top, chain) }
        #expect(deep?.code == "submodule-refused" && deep?.message.contains("within each other") == true)
        #expect(deep?.message.hasPrefix("Submodule 'x/x/x/x/x/x': ") == true, "\(deep?.message ?? "")")
    }

    @Test func aListThatIsALinkIsNotFollowed() async throws {
        let link = try fixture.blob("../../secret")
        let commit = try fixture.commit(entries: [
            ("120000", Array(".gitmodules".utf8), link),
            ("160000", Array("lib".utf8), first.description),
        ])
        #expect(await failure { _ = try await submodules(of: commit) }?.code == "submodule-refused")
    }

    @Test(arguments: [
        ".git", ".GIT", "..", "git~1", ".git ", ".g\u{200C}it", "-x", "a\u{1}b", "a\nb", "a/b",
        "\u{FF}\u{202E}\u{7}",
    ])
    func pathsThatMustNotBeWrittenAreRefusedBeforeAnythingIsFetched(_ name: String) async throws {
        let entry = ("160000", Array(name.utf8), first.description)
        let below = try fixture.tree([("160000", Array("lib".utf8), first.description)])
        let modules = try fixture.blob(list((name, "../a"), ("\(name)/lib", "../a")))
        for entries in [[entry], name == "-x" ? [entry] : [("40000", Array(name.utf8), below)]] {
            let commit = try fixture.commit(
                entries: [("100644", Array(".gitmodules".utf8), modules)] + entries)
            let stopped = await failure {
                _ = try await submodules(of: commit) { _, _ in Issue.record("fetched") }
            }
            #expect(stopped?.code == "submodule-refused", "\(name)")
        }
    }

    /// CVE-2024-32002 and its kind: a link where a submodule's path goes through.
    @Test func noSubmoduleIsWrittenThroughALink() async throws {
        let outside = "\(fixture.root)/outside"
        try #require(mkdir(outside, 0o755) == 0)
        let lib = try module("lib", ["planted": "x"])
        let link = try fixture.blob(outside)
        let below = try fixture.tree([("160000", Array("m".utf8), lib.description)])
        let modules = try fixture.blob(list(("a/m", "../lib"), ("a", "../lib"), ("A/m", "../lib")))
        let (a, list) = (Array("a".utf8), ("100644", Array(".gitmodules".utf8), modules))
        for entries in [
            [("120000", a, link), ("40000", a, below)], [("40000", a, below), ("120000", a, link)],
            [("120000", a, link), ("160000", a, lib.description)],
            [("160000", a, lib.description), ("120000", a, link)],
            [("160000", a, lib.description), ("40000", a, below)],
        ] {
            let commit = try fixture.commit(entries: [list] + entries)
            let found = try await submodules(
                of: commit, ["https://git.host/team/lib": "\(fixture.root)/lib"])
            let code = failureCode {
                _ = try TreeExtractor(repository: fixture.work).extract(
                    commit, submodules: found, to: "\(fixture.root)/out")
            }
            #expect(code == "tree-refused")
            #expect(try Files.list(outside) == [])
            #expect(!Files.exists("\(fixture.root)/out"))
        }
        // Names that differ in case only are two.
        let upper = try fixture.commit(entries: [
            list, ("40000", Array("A".utf8), below), ("120000", a, link),
        ])
        let found = try await submodules(of: upper, ["https://git.host/team/lib": "\(fixture.root)/lib"])
        _ = try TreeExtractor(repository: fixture.work).extract(
            upper, submodules: found, to: "\(fixture.root)/out")
        #expect(try fixture.read("out/A/m/planted") == "x")
        #expect(try Files.list(outside) == [])
    }

    // MARK: The exact commit

    @Test func aCommitIsFetchedFromABranchOrATagOrNotAtAll() async throws {
        let tagged = try fixture.commitAll("Tagged")
        try fixture.git("tag", "v1", in: fixture.work)
        try fixture.git("reset", "-q", "--hard", first.description, in: fixture.work)
        let between = try fixture.commitAll("Between")
        let tip = try fixture.commitAll("Tip")
        let lost = try fixture.commitAll("Lost")
        try fixture.git("reset", "-q", "--hard", tip.description, in: fixture.work)
        let server = try HTTPGitServer(root: fixture.root)
        let fetcher = Fetcher(program: try builtProduct("kinto"))
        for (index, commit) in [tip, tagged, between, lost].enumerated() {
            var spec = FetchSpec(
                address: try GitAddress("http://127.0.0.1:\(server.port)/work/.git"),
                repository: "\(fixture.root)/mirror\(index).git", references: [])
            spec.commit = commit
            if commit == lost {
                let gone = await failure { [spec] in
                    _ = try await fetcher.fetch(spec, deadline: .seconds(180))
                }
                #expect(gone?.code == "fetch-commit-gone")
            } else {
                #expect(try await fetcher.fetch(spec, deadline: .seconds(180)) == commit)
            }
        }
        // Only what leads to it.
        #expect(try GitRepository(opening: "\(fixture.root)/mirror0.git").references() == ["refs/heads/main"])
        #expect(try GitRepository(opening: "\(fixture.root)/mirror1.git").references() == ["refs/tags/v1"])
    }
}
