// SPDX-License-Identifier: Apache-2.0
import Foundation
import KintoCore
import Runner
import TestSupport
import Testing

/// Which references fit a pattern: as git itself says.
struct RefPatternTests {
    private static let names = [
        "heads/main", "heads/feature", "heads/feature/a", "heads/feature/a/b", "heads/feature/a/b/c",
        "heads/release/1.0/x", "heads/release/x", "heads/x/release/y", "heads/tags/v1", "heads/mainly",
        "heads/ma",
        "heads/a/b/a/b/c", "tags/v1", "tags/v1.2", "tags/v1/rc", "tags/nightly/1", "tags/v",
    ]

    @Test func patternsFitWhatGitSaysThatTheyFit() async throws {
        try await TemporaryDirectory.with { directory in
            func git(_ words: String...) throws -> [String] {
                let process = Process()
                process.executableURL = URL(fileURLWithPath: "/usr/bin/git")
                process.arguments =
                    ["-C", directory, "-c", "user.name=t", "-c", "user.email=t@example.com"] + words
                process.environment = ["GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"]
                let pipe = Pipe()
                process.standardOutput = pipe
                try process.run()
                let data = pipe.fileHandleForReading.readDataToEndOfFile()
                process.waitUntilExit()
                #expect(process.terminationStatus == 0, "\(words)")
                return String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
            }
            _ = try git("init", "-q", "--bare")
            let tree = try git("hash-object", "-t", "tree", "-w", "/dev/null")[0]
            let commit = try git("commit-tree", tree, "-m", "x")[0]
            // Where one is the folder of another both cannot be there: each is asked about alone.
            let patterns = [
                "*", "**", "main*", "?ain", "feature/*", "feature/**", "feature/*/*", "**/b", "**/b/**",
                "feature/**/c",
                "release/**/x", "*/*", "**/release/**", "a/**/b/c", "a/**/a/**/c", "f*e/*", "feature/a*b",
                "x**y",
                "tags/*", "tags/**", "tags/v*", "tags/v?", "tags/**/rc", "refs/tags/v*", "refs/heads/tags/*",
            ]
            for name in Self.names {
                _ = try git("update-ref", "refs/\(name)", commit)
                for text in patterns {
                    let pattern = try RefPattern(text)
                    let said = try !git("for-each-ref", RefName.full(text)).isEmpty
                    #expect(pattern.matches("refs/\(name)") == said, "\(text) and refs/\(name)")
                }
                _ = try git("update-ref", "-d", "refs/\(name)")
            }
        }
    }

    @Test func aPatternNamesWhatItMeans() throws {
        for (text, stored, words, isExact) in [
            ("main", "main", "branch 'main'", true), ("refs/heads/main", "main", "branch 'main'", true),
            ("refs/tags/v*", "tags/v*", "tags 'v*'", false), ("tags/v1", "tags/v1", "tag 'v1'", true),
            ("refs/heads/tags/v1", "refs/heads/tags/v1", "branch 'tags/v1'", true),
            ("feature/*", "feature/*", "branches 'feature/*'", false),
        ] {
            let pattern = try RefPattern(text)
            #expect(pattern.description == stored)
            #expect(pattern.words == words)
            #expect(pattern.isExact == isExact)
        }
    }

    @Test(arguments: [
        "", "-x", "a//b", "/a", "a/", "a..b", "a b", "a~b", "a:b", "a^", "a\\b", "v[12]", "refs/notes/x",
        "a\u{7}b",
        String(repeating: "x", count: 300),
    ])
    func whatCanBeNoNameIsRefused(_ text: String) {
        #expect { try RefPattern(text) } throws: { ($0 as? Failure)?.code == "invalid-pattern" }
    }

    /// What takes others exponential time ends at once: it would not end within the life of the machine.
    @Test func noPatternTakesLong() throws {
        let stars = String(repeating: "*a", count: 100)
        #expect(try !RefPattern(stars).matches("refs/heads/" + String(repeating: "a", count: 1000) + "b"))
        let folders = String(repeating: "**/a/", count: 48) + "b"
        #expect(
            try !RefPattern(folders).matches("refs/heads/" + String(repeating: "a/", count: 500) + "c"))
    }
}
