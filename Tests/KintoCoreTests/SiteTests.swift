// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Wire

@testable import KintoCore

/// `static` and `assets` in kinto.json.
struct SiteManifestTests {
    private func parse(_ text: String, environment: String = "production") throws -> Manifest {
        try Manifest.parse(Array(text.utf8), environment: environment).get()
    }

    @Test func whenNothingRunsTheOutputIsAllThatIsKept() throws {
        for (text, kept, output, served) in [
            (#"{"static":{}}"#, "public", ".", "public"),
            (#"{"static":{"output":"dist"}}"#, "dist", ".", "dist"),
            (#"{"static":{"output":"dist/web"}}"#, "dist/web", ".", "dist/web"),
            (#"{"static":{"output":"."}}"#, ".", ".", "."),
            (#"{"static":{"output":"dist/web"},"build":{"output":"dist"}}"#, "dist", "web", "dist/web"),
            (#"{"static":{"output":"dist"},"build":{"output":"dist"}}"#, "dist", ".", "dist"),
            (#"{"static":{"output":"dist"},"processes":{"w":{"command":"w"}}}"#, ".", "dist", "dist"),
            (
                #"{"static":{"output":"dist"},"processes":{"w":{"command":"w","schedule":"0 3 * * *"}}}"#,
                ".", "dist", "dist"
            ),
            (#"{"static":{"output":"dist"},"release":{"command":"x"}}"#, ".", "dist", "dist"),
        ] {
            let manifest = try parse(text)
            #expect(manifest.build.output == kept, "\(text)")
            #expect(manifest.static?.output == output, "\(text)")
            #expect(manifest.served == served, "\(text)")
            #expect(manifest.takesRequests)
            #expect(manifest.siteSource?.isSite == true)
        }
    }

    @Test func whatWasReadIsReadAgainFromTheRecord() throws {
        for text in [
            #"{"static":{"output":"dist","fallback":"app/index.html","keep":"5m"}}"#,
            #"{"start":"x","assets":{"directory":"built","path":"/static/","keep":"0s"}}"#,
        ] {
            let manifest = try parse(text)
            let record = try JSONEncoder().encode(manifest)
            #expect(try JSONDecoder().decode(Manifest.self, from: record) == manifest)
        }
    }

    @Test func assets() throws {
        for (text, directory, path) in [
            (#"{"start":"x","assets":{}}"#, "public", "/"),
            (#"{"start":"x","assets":{"directory":"a/b","path":"/static/"}}"#, "a/b", "/static"),
            (#"{"start":"x","assets":{"path":"/"}}"#, "public", "/"),
            (
                #"{"start":"x","build":{"output":"out"},"assets":{"directory":"out/web","path":"/a/b"}}"#,
                "web", "/a/b"
            ),
        ] {
            let manifest = try parse(text)
            #expect(manifest.assets?.directory == directory, "\(text)")
            #expect(manifest.assets?.path == path, "\(text)")
            #expect(manifest.served == (directory == "web" ? "out/web" : directory), "\(text)")
            #expect(manifest.siteSource == .init(directory: directory, path: path, isSite: false))
        }
    }

    @Test func environmentsHaveTheirOwn() throws {
        let text =
            #"{"static":{"output":"dist","keep":"5m"},"environments":{"staging":{"static":{"output":"dist/staging","fallback":"a.html"}}}}"#
        #expect(try parse(text).build.output == "dist")
        let staging = try parse(text, environment: "staging")
        #expect(staging.build.output == "dist/staging")
        #expect(staging.static?.output == ".")
        #expect(staging.static?.fallback == "a.html")
        // Each way to see an artifact has a folder of its own.
        let sources = [
            SiteSource(directory: "a", path: "/", isSite: true),
            SiteSource(directory: "a", path: "/", isSite: false),
            SiteSource(directory: "b", path: "/", isSite: true),
            SiteSource(directory: "a", path: "/x", isSite: false),
        ]
        #expect(Set(sources.map(\.folder)).count == 4)
        #expect(sources.allSatisfy { $0.folder.hasPrefix("site-") && $0.folder.utf8.count == 17 })
    }

    @Test(arguments: [
        (#"{"static":[]}"#, "must be an object"), (#"{"static":{"output":5}}"#, "must be a string"),
        (#"{"static":{"output":"../x"}}"#, "without '..'"),
        (#"{"static":{"output":"/etc"}}"#, "must be a path below the root"),
        (#"{"static":{"outptu":"x"}}"#, "did you mean 'output'"),
        (#"{"static":{"fallback":"../a.html"}}"#, "must be the path of a page"),
        (#"{"static":{"fallback":"/a.html"}}"#, "must be the path of a page"),
        (#"{"static":{"fallback":""}}"#, "must not be empty"),
        (#"{"static":{"keep":5}}"#, "needs a unit"), (#"{"static":{"keep":"-1s"}}"#, "keep"),
        (#"{"static":{"output":"x"},"build":{"output":"dist"}}"#, "must be 'dist' or below it"),
        (#"{"static":{"output":"distant"},"build":{"output":"dist"}}"#, "must be 'dist' or below it"),
        (#"{"start":"x","static":{}}"#, "for files of a web service take 'assets'"),
        (#"{"assets":{}}"#, "needs 'start'"), (#"{"static":{},"assets":{}}"#, "needs 'start'"),
        (#"{"start":"x","assets":{"path":"static"}}"#, "must be the beginning of paths"),
        (#"{"start":"x","assets":{"path":""}}"#, "must not be empty"),
        (#"{"start":"x","assets":{"path":"//x"}}"#, "must be the beginning of paths"),
        (#"{"start":"x","assets":{"path":"/a/../b"}}"#, "must be the beginning of paths"),
        (#"{"start":"x","assets":{"directory":"/"}}"#, "must be a path below the root"),
    ])
    func mistakes(text: String, message: String) {
        guard case .failure(let errors) = Manifest.parse(Array(text.utf8)) else {
            Issue.record("accepted: \(text)")
            return
        }
        #expect(errors.rendered.contains(message), "\(errors.rendered)")
    }
}

/// Which files of releases before still answer.
struct EarlierFilesTests {
    private let now = Timestamp(milliseconds: 1_800_000_000_000)
    private let home = Home("/home")

    /// Live one after another, so many seconds ago; the last one is live.
    private func history(_ ages: Int64..., keep: Int = 60) throws -> [Release] {
        try ages.enumerated().map { number, age in
            let at = Timestamp(milliseconds: now.milliseconds - age * 1000)
            var release = Release(
                id: Int64(number + 1), target: Target(service: try ServiceName("hello")), number: number + 1,
                status: .deployed, commit: nil, branch: "main", trigger: .push, createdAt: at)
            release.liveAt = at
            release.finishedAt = at
            release.live = number == ages.count - 1
            release.artifact = .init(identifier: "a\(number + 1)", sha256: "", bytes: 100)
            var manifest = Manifest(start: nil)
            manifest.static = .init()
            manifest.static?.keep = .seconds(keep)
            release.manifest = manifest
            return release
        }
    }

    private func earlier(_ history: [Release]) -> [String] {
        guard let live = history.first(where: \.live) ?? history.last,
            let files = live.files(history.reversed(), in: home, now: now)
        else { return [] }
        return files.earlier.map { one in
            let name = one.index.split(separator: "/").dropLast(2).last ?? ""
            return "\(name) \((one.until - now.milliseconds) / 1000)"
        }
    }

    @Test func theyAnswerForAWhileAfterEachWasReplacedNewestFirst() throws {
        #expect(try earlier(history(500, 100, 50, 10)) == ["a3 50", "a2 10"])
        #expect(try earlier(history(500, 60)) == [])
        #expect(try earlier(history(500, 59)) == ["a1 1"])
        #expect(try earlier(history(5)) == [])
        #expect(try earlier(history(500, 10, keep: 0)) == [])
    }

    /// Not live yet: what is live now is replaced now.
    @Test func beforeASwapTheTimeBeginsNow() throws {
        var releases = try history(500, 300, 1)
        releases[2].live = false
        releases[2].liveAt = nil
        releases[2].status = .deploying
        let files = try #require(releases[2].files(releases, in: home, now: now))
        #expect(files.earlier.map(\.until) == [now.milliseconds + 60_000])
        #expect(files.earlier.first?.index.contains("/a2/") == true)
    }

    @Test func anArtifactAnswersOnceAndItsOwnNever() throws {
        var releases = try history(50, 40, 30, 20)
        // Back to the first, then forth.
        releases[2].artifact?.identifier = "a1"
        #expect(earlier(releases) == ["a1 40", "a2 30"])
        releases[3].artifact?.identifier = "a2"
        #expect(earlier(releases) == ["a1 40"])
    }

    @Test func whatFailedOrHasNoFilesAnswersNothing() throws {
        var releases = try history(50, 40, 30, 20)
        releases[0].artifact?.available = false
        releases[1].liveAt = nil
        releases[2].manifest?.static = nil
        releases[2].manifest?.start = "x"
        #expect(earlier(releases) == [])
        releases[3].artifact?.available = false
        #expect(releases[3].files(releases, in: home, now: now) == nil)
    }

    @Test func thereAreNotTooMany() throws {
        var releases = try history(50)
        for number in 2...40 {
            var next = releases[0]
            next.id = Int64(number)
            next.number = number
            next.artifact?.identifier = "a\(number)"
            releases[number - 2].live = false
            next.live = true
            releases.append(next)
        }
        let names = earlier(releases).map { $0.split(separator: " ")[0] }
        #expect(names.count == 16)
        #expect(names.first == "a39")
        #expect(names.last == "a24")
    }

    @Test func retentionLeavesThem() throws {
        let releases = try history(5000, 500, 50, 40, 30)
        let settings = try RetentionSettings(["artifacts=1", "artifact-bytes=0B", "artifact-age=1m"])
        let plan = RetentionPlan(releases, pinned: [], settings: settings, now: now, isAsked: true)
        #expect(plan.artifacts.map(\.identifier) == ["a1"])
        let later = Timestamp(milliseconds: now.milliseconds + 60_000)
        let then = RetentionPlan(releases, pinned: [], settings: settings, now: later, isAsked: true)
        // The way back of "kinto rollback" stays.
        #expect(then.artifacts.map(\.identifier) == ["a1", "a2", "a3"])
    }
}
