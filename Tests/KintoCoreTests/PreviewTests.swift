// SPDX-License-Identifier: Apache-2.0
import Foundation
import KintoCore
import Testing
import Wire

struct PreviewTests {
    private func service(_ name: String = "hello", most: Int = 10) throws -> RegisteredService {
        RegisteredService(
            name: try ServiceName(name), source: .hosted, repository: "/r", createdAt: .now,
            webhookSecret: "x",
            previews: try PreviewRule(pattern: "feature/*", lifetime: 60_000, most: most, config: nil))
    }

    private func names(_ plan: Preview.Plan) -> [String] {
        plan.opened.map(\.target.environment.description).sorted()
    }

    @Test func namesFitAHostNameAndAreNobodyElses() throws {
        let hello = try ServiceName("hello")
        func name(_ branch: String, _ taken: Set<String> = []) -> String? {
            Preview.name(of: branch, service: hello) { taken.contains($0.description) }?.description
        }
        #expect(name("feature/login") == "preview-feature-login")
        #expect(name("feature/Ünï//x__y") == "preview-feature-n-x-y")
        let other = try #require(name("feature-login", ["preview-feature-login"]))
        #expect(other.hasPrefix("preview-feature-login-") && other.utf8.count == 30)
        let long = try #require(name("feature/" + String(repeating: "x", count: 200)))
        #expect("hello--\(long)".utf8.count <= 63)
        #expect(long != name("feature/" + String(repeating: "x", count: 201)))
        let strange = try #require(name("日本"))
        #expect(strange.hasPrefix("preview-") && strange.utf8.count == 16)
        let full = try ServiceName(String(repeating: "s", count: 60))
        #expect(Preview.name(of: "x", service: full) { _ in false } == nil)
    }

    @Test func aForksNameIsNoBranchs() throws {
        let hello = try ServiceName("hello")
        func name(_ branch: String, _ taken: Set<String> = []) -> String? {
            Preview.name(of: branch, service: hello) { taken.contains($0.description) }?.description
        }
        for reference in ["refs/pull/8/head", "refs/merge-requests/8/head", "refs/pull-requests/8/from"] {
            #expect(name(reference) == "preview-pr-8")
            let other = try #require(name(reference, ["preview-pr-8"]))
            #expect(other.hasPrefix("preview-pr-8-") && other.utf8.count == 21)
        }
        for branch in ["pr-8", "pr/8", "PR_8", "pr-08", "refs/heads/pr-8", "refs/heads/refs/pull/8/head"] {
            let name = try #require(name(branch))
            #expect(name != "preview-pr-8" && name != "preview-pr-08", "\(branch)")
        }
        #expect(name("pr-8")?.hasPrefix("preview-pr-8-") == true)
        #expect(name("pr-x") == "preview-pr-x" && name("pr") == "preview-pr")
        #expect(name("refs/pull/\(Int.max)/head") == "preview-pr-\(Int.max)")
    }

    @Test func aForgesReferenceIsReadAsItIsWritten() throws {
        for provider in Provider.allCases {
            for number in [1, 8, Int.max] {
                guard let reference = PullReference.full(number, provider) else { continue }
                #expect(PullReference.number(reference) == number)
                #expect(RefName.full(reference) == reference && RefName.short(reference) == reference)
                #expect(RefName.words(reference) == "pull request \(number)")
                // Nobody names one as a branch.
                #expect(throws: Failure.self) { try RefPattern(reference) }
                for pattern in ["**", "*", "refs/**", "refs/*/*/*", "refs/pull/*/head", "tags/**"] {
                    #expect((try? RefPattern(pattern))?.matches(reference) != true, "\(pattern)")
                }
            }
            for number in [0, -1, Int.min] { #expect(PullReference.full(number, provider) == nil) }
        }
        for provider in [Provider.bitbucket, .generic] {
            #expect(PullReference.full(8, provider) == nil)
        }
        for text in [
            "refs/pull/0/head", "refs/pull/-8/head", "refs/pull/+8/head", "refs/pull/08/head",
            "refs/pull//head", "refs/pull/8/merge", "refs/pull/8/head/", "refs/pull/8/x/head",
            "refs/pull/99999999999999999999/head", "refs/pull/٨/head", "refs/heads/refs/pull/8/head",
            "refs/pull/head", "pull/8/head", "refs/pull-requests/8/head", "",
        ] {
            #expect(PullReference.number(text) == nil, "\(text)")
        }
    }

    @Test func forksAreAskedForByASetting() throws {
        var service = try service()
        let reference = "refs/pull/8/head"
        let production = RegisteredEnvironment(target: Target(service: service.name), branch: "**")
        func plan(_ known: [RegisteredEnvironment], closed: Bool = false) -> Preview.Plan {
            Preview.plan(
                pullRequest: 8, reference, from: "from a fork (mallory/app)", isClosed: closed, service,
                [production] + known)
        }
        func allow(_ forks: Bool) throws {
            service.previews = try PreviewRule(
                pattern: PreviewRule.pullRequests, lifetime: 60_000, most: 1, config: nil, forks: forks)
        }
        #expect(plan([]).notes[0].contains("previews of hello are of branches 'feature/*'"))
        service.previews = nil
        #expect(plan([]).notes[0].contains("hello has no previews"))
        try allow(false)
        let refusal =
            "pull request 8 is from a fork (mallory/app): its code would run with this server's rights; to allow: kinto service set hello --preview-forks on"
        #expect(plan([]).notes == [refusal] && plan([]).opened.isEmpty && plan([]).done == [reference])
        try allow(true)
        let opened = plan([])
        #expect(names(opened) == ["preview-pr-8"] && opened.done.isEmpty && opened.notes.isEmpty)
        let preview = try #require(opened.opened.first)
        #expect(preview.isOfFork && preview.branch == reference && preview.pattern.reference == reference)
        #expect(plan([preview]).renewed == [preview.target])
        // A push has nothing to do with it, whatever it says.
        for isRemoved in [false, true] {
            for other in [reference, "refs/heads/\(reference)", "refs/heads/pr-8"] {
                #expect(Preview.plan(service, [preview], [(other, isRemoved)]).isEmpty)
            }
        }
        #expect(plan([preview], closed: true).ended == [preview])
        // One that is there stays until its end, without new commits.
        try allow(false)
        let late = plan([preview])
        #expect(late.notes == [refusal] && late.renewed.isEmpty && late.done == [reference])
        for rule in [
            service.previews, nil, try PreviewRule(pattern: "x", lifetime: 60_000, most: 1, config: nil),
        ] {
            service.previews = rule
            #expect(plan([preview]).renewed.isEmpty && plan([preview]).done == [reference])
            #expect(plan([preview], closed: true).ended == [preview])
        }
        #expect(throws: Failure.self) {
            _ = try PreviewRule(pattern: "feature/*", lifetime: 60_000, most: 1, config: nil, forks: true)
        }
        let older = Data(#"{"pattern":"pull-requests","lifetime":60000,"most":1}"#.utf8)
        #expect(try JSONDecoder().decode(PreviewRule.self, from: older).forks == false)
    }

    @Test func branchesThatFitGetOneAndLoseIt() throws {
        let service = try service()
        let production = RegisteredEnvironment(target: Target(service: service.name), branch: "main")
        let first = Preview.plan(
            service, [production],
            [
                ("refs/heads/main", false), ("refs/heads/feature/a", false), ("refs/tags/feature/a", false),
                ("refs/heads/other", false), ("refs/heads/feature/b", false), ("refs/heads/feature/b", true),
            ])
        // What is said last of a reference counts.
        #expect(names(first) == ["preview-feature-a"])
        let known = [production] + first.opened
        let next = Preview.plan(
            service, known, [("refs/heads/feature/a", false), ("refs/heads/feature/c", false)])
        #expect(next.renewed == first.opened.map(\.target))
        #expect(names(next) == ["preview-feature-c"])
        let gone = Preview.plan(service, known, [("refs/heads/feature/a", true)])
        #expect(gone.ended == first.opened && gone.opened.isEmpty && gone.notes.count == 1)
    }

    @Test func anEnvironmentThatDeploysTheBranchLeavesNoneToAPreview() throws {
        let service = try service()
        let review = RegisteredEnvironment(
            target: Target(service: service.name, environment: try EnvironmentName("review")),
            branch: "feature/**")
        #expect(Preview.plan(service, [review], [("refs/heads/feature/a", false)]).isEmpty)
    }

    @Test func whatIsNoBranchGetsNone() throws {
        let strange = [
            "refs/heads/feature/*", "refs/heads/feature/?", "refs/heads/feature/a\u{7}",
            "refs/heads/feature/[a]",
        ]
        #expect(Preview.plan(try service(), [], strange.map { ($0, false) }).isEmpty)
    }

    @Test func noMoreThanAreAllowed() throws {
        let service = try service(most: 2)
        let plan = Preview.plan(
            service, [], ["a", "b", "c"].map { ("refs/heads/feature/\($0)", false) })
        #expect(plan.opened.count == 2)
        #expect(plan.notes.count == 1 && plan.notes[0].contains("gets no preview: hello has 2 already"))
        // The end of one makes room for another in the same push.
        let swap = Preview.plan(
            service, plan.opened,
            [("refs/heads/\(plan.opened[0].branch)", true), ("refs/heads/feature/d", false)].reversed())
        #expect(swap.opened.isEmpty || swap.ended.count == 1)
    }

    @Test func pullRequestsOpenAndEndThem() throws {
        var service = try service(most: 1)
        let production = RegisteredEnvironment(target: Target(service: service.name), branch: "main")
        func plan(_ known: [RegisteredEnvironment], _ branch: String, closed: Bool = false) -> Preview.Plan {
            Preview.plan(
                pullRequest: 7, "refs/heads/\(branch)", isClosed: closed, service, [production] + known)
        }
        // Of branches they were asked for, or not at all.
        #expect(plan([], "feature/a").notes[0].contains("previews of hello are of branches 'feature/*'"))
        service.previews = nil
        #expect(plan([], "feature/a").notes[0].contains("hello has no previews"))
        service.previews = try PreviewRule(
            pattern: PreviewRule.pullRequests, lifetime: 60_000, most: 1, config: nil)
        #expect(service.previews?.words == "pull requests")
        // A push opens none, whatever its branch is called.
        #expect(
            Preview.plan(
                service, [production],
                [("refs/heads/feature/a", false), ("refs/heads/pull-requests", false)]
            ).isEmpty)
        let opened = plan([], "feature/a")
        #expect(names(opened) == ["preview-feature-a"] && opened.done.isEmpty)
        #expect(plan(opened.opened, "feature/a").renewed == opened.opened.map(\.target))
        #expect(
            Preview.plan(service, opened.opened, [("refs/heads/feature/a", false)]).renewed
                == opened.opened.map(\.target))
        let gone = plan(opened.opened, "feature/a", closed: true)
        #expect(gone.ended == opened.opened && gone.done == ["refs/heads/feature/a"])
        #expect(gone.notes == ["pull request 7 was closed: its preview hello/preview-feature-a ends"])
        #expect(plan(opened.opened, "feature/b", closed: true).notes[0].contains("it has no preview"))
        for (branch, why) in [
            ("feature/b", "hello has 1 already"), ("main", "hello/production deploys branch 'main' anyway"),
        ] {
            let none = plan(opened.opened, branch)
            #expect(none.opened.isEmpty && none.done == ["refs/heads/\(branch)"])
            #expect(none.notes.count == 1 && none.notes[0].contains(why), "\(none.notes)")
        }
        #expect(plan([], "feature/*").notes[0].contains("is no branch's name"))
    }

    @Test func rulesThatMakeNoSenseAreRefused() {
        for (pattern, lifetime, most) in [
            ("tags/v*", 60_000, 1), ("feature/[a]", 60_000, 1), ("feature/*", 59_999, 1),
            ("feature/*", 60_000, 0), ("feature/*", 60_000, 101), ("feature/*", Int.max, 1),
        ] {
            #expect(throws: Failure.self) {
                _ = try PreviewRule(pattern: pattern, lifetime: lifetime, most: most, config: nil)
            }
        }
    }
}
