// SPDX-License-Identifier: Apache-2.0
import KintoCore
import Testing
import Wire

@testable import HookReceiver

struct GitHubTests {
    /// The vector of GitHub's documentation.
    private let digest = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    private let secret = "It's a Secret to Everybody"
    private let body = Array("Hello, World!".utf8)

    @Test func documentedSignatureIsValid() {
        #expect(GitHubSignature.isValid(["sha256=\(digest)"], body: body, secret: secret))
    }

    @Test func everythingElseIsNot() {
        #expect(!GitHubSignature.isValid([], body: body, secret: secret))
        #expect(!GitHubSignature.isValid(["sha256=\(digest)"], body: body, secret: ""))
        #expect(
            !GitHubSignature.isValid(["sha256=\(digest)", "sha256=\(digest)"], body: body, secret: secret))
        #expect(!GitHubSignature.isValid(["sha1=\(digest)"], body: body, secret: secret))
        #expect(!GitHubSignature.isValid(["sha256=\(digest.dropLast(2))"], body: body, secret: secret))
        #expect(!GitHubSignature.isValid(["sha256="], body: body, secret: secret))
        #expect(!GitHubSignature.isValid(["sha256=\(digest)"], body: body + [0], secret: secret))
    }

    private func read(_ text: String, event: String = "push", type: String = "application/json") throws
        -> GitHubEvent
    {
        try GitHubEvent.read(event: event, contentType: type, body: Array(text.utf8))
    }

    @Test func pushNamesBranchAndCommit() throws {
        let commit = String(repeating: "ab", count: 20)
        #expect(
            try read(#"{"ref":"refs/heads/main","after":"\#(commit)"}"#)
                == .push(branch: "main", commit: CommitID(commit)!, reference: "refs/heads/main"))
        #expect(
            try read(
                "payload=%7B%22ref%22%3A%22refs%2Fheads%2Fmain%22%2C%22after%22%3A%22\(commit)%22%7D",
                type: "application/x-www-form-urlencoded")
                == .push(branch: "main", commit: CommitID(commit)!, reference: "refs/heads/main"))
    }

    @Test func tagsDeletionsPingsAndMarkersAreIgnored() throws {
        let commit = String(repeating: "ab", count: 20)
        for (text, event) in [
            (#"{"ref":"refs/tags/v1","after":"\#(commit)"}"#, "push"),
            (
                #"{"ref":"refs/heads/main","after":"\#(String(repeating: "0", count: 40))","deleted":true}"#,
                "push"
            ),
            (
                #"{"ref":"refs/heads/main","after":"\#(commit)","head_commit":{"message":"x [skip ci]"}}"#,
                "push"
            ),
            ("{}", "ping"),
        ] {
            guard case .ignored = try read(text, event: event) else {
                Issue.record("not ignored: \(text)")
                continue
            }
        }
    }

    @Test(arguments: [
        "", "null", "[]", #"{"ref":null}"#, #"{"ref":"refs/heads/main","after":5}"#,
        #"{"ref":"refs/heads/a\nb"}"#, String(repeating: "[", count: 100_000),
    ])
    func malformedPayloadsAreRefused(text: String) {
        #expect(throws: Failure.self) { try read(text) }
    }

    @Test func pushPlanNamesWhatIsIgnored() throws {
        var fields = Fields()
        fields.add("id", "1")
        let (zero, commit) = (String(repeating: "0", count: 40), String(repeating: "ab", count: 20))
        for reference in ["refs/heads/main", "refs/heads/feature", "refs/tags/v1"] {
            fields.add("update", "\(zero) \(commit) \(reference)")
        }
        let (deploy, notes) = try PushRequest(fields).plan(branch: "main", environment: "production")
        #expect(deploy?.reference == "refs/heads/main")
        #expect(notes.count == 2)
    }
}
