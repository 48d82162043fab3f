// SPDX-License-Identifier: Apache-2.0
import KintoCore
import Testing

struct PathFilterTests {
    @Test(arguments: [
        (["services/api/**"], "services/api/main.go", true), (["services/api/**"], "services/api/a/b", true),
        (["services/api/**"], "services/apis/x", false), (["services/api/**"], "services/api", false),
        (["services/api"], "services/api/x/y", true), (["services/api/"], "services/api/x", true),
        (["services/api"], "services/api", true), (["./services/*"], "services/api/x", true),
        (["*.md"], "README.md", true), (["*.md"], "docs/a.md", false), (["**/*.md"], "docs/a/b.md", true),
        (["**/*.md"], "README.md", true), (["**/api/**"], "a/b/api/c/d", true), (["**/api/**"], "api", false),
        (["a/**/z"], "a/z", true), (["a/**/z"], "a/b/c/z", true), (["a/**/z"], "a/b/c/y", false),
        (["a/**/b/**/c"], "a/x/b/y/b/c", true), (["**"], "anything/at/all", true), (["?.txt"], "a.txt", true),
        (["?.txt"], "ab.txt", false), (["a*b*c"], "aXbYbZc", true), (["a*b*c"], "aXbYbZ", false),
        (["**", "!docs/**"], "docs/a", false), (["**", "!docs/**"], "src/a", true),
        (["!docs/**"], "docs/a", false), (["!docs/**"], "src/a", true),
        (["**", "!docs/**", "docs/api/**"], "docs/api/x", true), ([], "x", true),
    ])
    func aPatternTakesInWhatItSays(patterns: [String], path: String, isIn: Bool) {
        #expect(PathFilter(patterns).contains(path) == isIn)
    }

    /// Patterns come from whoever may push.
    @Test func noPatternTakesLong() {
        let deep = Array(repeating: "a", count: 2000).joined(separator: "/")
        let nasty = Array(repeating: "**/a", count: 500).joined(separator: "/") + "/b"
        let name = String(repeating: "a", count: 2000)
        #expect(!PathFilter([nasty]).contains(deep))
        #expect(!PathFilter([String(repeating: "*a", count: 500) + "b"]).contains(name))
    }
}
