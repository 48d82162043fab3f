// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import KintoCore
internal import Wire

/// The file `_redirects` of a site: lines of `FROM TO [STATUS]`.
struct SiteRedirects {
    static let name = "_redirects"
    private static let most = 1_000
    private static let longest = 2048
    private static let statuses: Set<Int> = [200, 301, 302, 303, 307, 308, 404, 410, 451]

    private(set) var rules: [SiteIndex.Rule] = []
    private(set) var warnings: [String] = []

    init() {}

    init(_ text: String) {
        defer { RuleFile.shorten(&warnings, SiteRedirects.name) }
        for (index, line) in RuleFile.lines(text) {
            let words = line.utf8.split { $0 == 0x20 || $0 == 9 || $0 == 13 }.map { Substring($0) }.prefix {
                !$0.hasPrefix("#")
            }
            if words.isEmpty { continue }
            guard rules.count < SiteRedirects.most else {
                warnings.append("_redirects has more than \(SiteRedirects.most) rules: the rest is left out")
                return
            }
            switch SiteRedirects.rule(words) {
            case .success(let rule): rules.append(rule)
            case .failure(let problem):
                warnings.append("_redirects, line \(index + 1): \(problem.words); the line is left out")
            }
        }
    }

    private struct Problem: Error { let words: String }

    private static func rule(_ words: ArraySlice<Substring>) -> Result<SiteIndex.Rule, Problem> {
        func fail(_ words: String) -> Result<SiteIndex.Rule, Problem> { .failure(Problem(words: words)) }
        let words = Array(words)
        guard words.count >= 2 else { return fail("it needs two paths: FROM TO") }
        guard words[0].hasPrefix("/") else {
            return fail("'\(shown(words[0].utf8.prefix(80)))' is not a path of this site")
        }
        var (status, isForced) = (301, false)
        if words.count > 2 {
            var text = words[2]
            if text.hasSuffix("!") {
                isForced = true
                text = text.dropLast()
            }
            guard let number = Int(text), statuses.contains(number) else {
                return fail(
                    "'\(shown(words[2].utf8.prefix(80)))' is not a status that is known: \(statuses.sorted().map(String.init).joined(separator: ", ")), or with '!'"
                )
            }
            status = number
        }
        guard words.count <= 3 else {
            return fail("conditions are not supported: \(shown(words[3].utf8.prefix(80)))")
        }
        let segments = words[0].split(separator: "/")
        if segments.dropLast().contains("*") || segments.contains(where: { $0 != "*" && $0.contains("*") }) {
            return fail("'*' can only be the last segment")
        }
        let to = words[1]
        guard to.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
            return fail("the target holds control characters")
        }
        guard to.utf8.count <= longest else { return fail("the target has more than \(longest) bytes") }
        let isElsewhere = to.hasPrefix("https://") || to.hasPrefix("http://")
        guard isElsewhere || to.hasPrefix("/") else {
            return fail("'\(shown(to.utf8.prefix(80)))' is neither a path nor an address")
        }
        if isElsewhere, status == 200 || status >= 400 {
            return fail("what is elsewhere can only be pointed to (301, 302, 303, 307, 308)")
        }
        // What answers in the place of something else is a file, and files are found by their plain names.
        let isRewrite = status == 200 || status >= 400
        return .success(
            .init(
                from: words[0].removingPercentEncoding ?? String(words[0]),
                to: (isRewrite ? to.removingPercentEncoding : nil) ?? String(to), status: status,
                isForced: isForced))
    }
}
