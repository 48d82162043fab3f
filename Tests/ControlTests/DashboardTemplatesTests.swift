// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Control

struct DashboardTemplatesTests {
    /// Each would end the attribute or the text that it stands in; with a combining mark, it is no longer the character
    /// that one who goes by graphemes looks for.
    @Test(arguments: ["\"", "'", "<", ">", "&"], ["", "\u{301}", "\u{338}", "\u{200D}"])
    func noTextEndsWhatItStandsIn(character: String, mark: String) throws {
        let hostile = "\(character)\(mark) onclick=hurt() x="
        let page = try DashboardTemplates.render(
            "config",
            [
                "title": hostile, "name": hostile, "path": hostile, "hasVariables": true, "csrf": hostile,
                "variables": [["variable": hostile, "secret": false, "value": hostile] as [String: Any]],
            ])
        #expect(page.contains("onclick=hurt()"))
        for scalars in page.components(around: " onclick=hurt()") {
            let before = scalars.unicodeScalars.filter {
                !"\u{301}\u{338}\u{200D}".unicodeScalars.contains($0)
            }
            #expect(before.last == ";", "\(scalars.suffix(20))")
        }
    }
}

extension String {
    /// What stands before each place of `text`.
    fileprivate func components(around text: String) -> [String] {
        var parts: [String] = []
        let (all, wanted) = (Array(unicodeScalars), Array(text.unicodeScalars))
        guard all.count >= wanted.count else { return [] }
        for start in 0...(all.count - wanted.count) where Array(all[start..<start + wanted.count]) == wanted {
            var before = String.UnicodeScalarView()
            before.append(contentsOf: all[max(0, start - 20)..<start])
            parts.append(String(before))
        }
        return parts
    }
}
