// SPDX-License-Identifier: Apache-2.0

/// The last stack trace of an output: what was thrown, and the innermost place in the application's own code.
struct StackTrace {
    /// How a language prints one.
    struct Style: Sendable {
        let language: String
        /// A line of the trace with a place in it; `{path}` and `{number}`.
        let frames: [LogPattern]
        /// Parts of paths that are not the application's own.
        let foreign: [String]
        /// Whether the innermost call comes last.
        let isReversed: Bool
        /// Lines in a row that may stand between two frames.
        let gap: Int
        /// What the line that says what happened contains; looked for after the trace when it is reversed, else before it.
        let headlines: [LogPattern]
        /// Whether that line has a place, too: the innermost.
        var headlineIsFrame = false
        /// Of the files, where a frame's pattern has it instead of the path.
        var ending = ""
    }

    let language: String
    /// `KeyError: 'colour'`
    let headline: String
    /// `app.py:12`
    let place: String
    /// The first error of a chain, of which this one is a consequence.
    let reason: String?

    static let styles: [Style] = [
        // Before Node.js, whose frames look alike.
        Style(
            language: "Rust",
            frames: [
                LogPattern("panicked at {path}.rs:{number}:"), LogPattern("^at {path}.rs:{number}:{number2}"),
            ],
            foreign: ["/rustc/", "/.cargo/", "/library/std/", "/library/core/", "/library/alloc/"],
            isReversed: false, gap: 6, headlines: [LogPattern("panicked at")], headlineIsFrame: true,
            ending: ".rs"),
        Style(
            language: "Swift",
            frames: [
                LogPattern("{path}.swift:{number}: Fatal error"),
                LogPattern("{path}.swift:{number}: Precondition failed"),
                LogPattern("{path}.swift:{number}: Assertion failed"),
                LogPattern("in {word} at {path}.swift:{number}:{number2}"),
            ],
            foreign: ["^Swift/", "/swift/stdlib/", "/.build/checkouts/"], isReversed: false, gap: 12,
            headlines: [
                LogPattern("Fatal error"), LogPattern("Precondition failed"), LogPattern("Assertion failed"),
            ], headlineIsFrame: true, ending: ".swift"),
        Style(
            language: "PHP",
            frames: [LogPattern("{path}.php:{number}"), LogPattern("^#{number2} {path}.php({number})")],
            foreign: ["/vendor/"], isReversed: false, gap: 4, headlines: [LogPattern("Uncaught ")],
            headlineIsFrame: true, ending: ".php"),
        Style(
            language: "Python", frames: [LogPattern(#"^File "{text}", line {number}"#)],
            foreign: [
                "/site-packages/", "/dist-packages/", "/lib/python", "/versions/3.", "<frozen", "<string>",
            ],
            isReversed: true, gap: 3, headlines: []),
        Style(
            language: "Node.js",
            frames: [
                LogPattern("^at {text} ({path}:{number}:{number2})"),
                LogPattern("^at {path}:{number}:{number2}"),
                LogPattern("^at {text} (file://{path}:{number}:{number2})"),
                LogPattern("^at file://{path}:{number}:{number2}"), LogPattern("^at {text}(node:"),
                LogPattern("^at node:"),
            ],
            foreign: ["node_modules/", "node:"], isReversed: false, gap: 0,
            headlines: [LogPattern("Error"), LogPattern("Exception"), LogPattern("Uncaught")]),
        Style(
            language: "Java",
            frames: [
                LogPattern("^at {word}({path}.java:{number})"), LogPattern("^at {word}({path}.kt:{number})"),
            ],
            foreign: [
                "java.", "javax.", "jakarta.", "jdk.", "sun.", "org.springframework.", "org.apache.",
                "org.hibernate.", "com.zaxxer.", "io.netty.", "kotlin.", "com.sun.",
            ], isReversed: false, gap: 1, headlines: [LogPattern("Exception"), LogPattern("Error")],
            ending: ".java"),
        Style(
            language: "Ruby",
            frames: [LogPattern("{path}:{number}:in "), LogPattern("^from {path}:{number}:in ")],
            foreign: ["/gems/", "/lib/ruby/", "<internal:"], isReversed: false, gap: 4, headlines: []),
        Style(
            language: "Go", frames: [LogPattern("{path}.go:{number}")],
            foreign: ["/pkg/mod/", "/usr/lib/go", "/usr/local/go/", "/src/runtime/"], isReversed: false,
            gap: 2,
            headlines: [LogPattern("^panic:"), LogPattern("^fatal error:")], ending: ".go"),
    ]

    /// - Parameter lines: the end of the output.
    static func last(in lines: [String]) -> StackTrace? {
        let texts = lines.map { LogLineText(Array($0.utf8)) }
        return styles.compactMap { style in
            read(lines, texts, style).map { ($0.end, $0.trace) }
        }.max { $0.0 < $1.0 }?.1
    }

    private static func read(_ lines: [String], _ texts: [LogLineText], _ style: Style) -> (
        end: Int, trace: StackTrace
    )? {
        func frame(_ index: Int) -> [String: String]? {
            style.frames.lazy.compactMap { $0.match(texts[index]) }.first
        }
        guard let end = texts.indices.last(where: { frame($0) != nil }) else { return nil }
        var frames: [(index: Int, place: [String: String])] = []
        var start = end
        var index = end
        while index >= 0, start - index <= style.gap + 1 {
            if let found = frame(index) {
                frames.append((index, found))
                start = index
            }
            index -= 1
        }
        // Innermost first.
        if !style.isReversed { frames.reverse() }
        let own = frames.first { frame in
            let line = lines[frame.index]
            return !style.foreign.contains { isPart($0, of: line, style) }
                && (frame.place["path"] ?? frame.place["text"]) != nil && frame.place["number"] != nil
        }
        guard let own, let headline = headline(lines, texts, style, start: start, end: end),
            let path = own.place["path"] ?? own.place["text"], let number = own.place["number"]
        else { return nil }
        let place = path.hasPrefix("./") ? path.dropFirst(2) : path[...]
        return (
            end,
            StackTrace(
                language: style.language, headline: headline, place: "\(place)\(style.ending):\(number)",
                reason: reason(lines, texts, before: end))
        )
    }

    private static let chained = LogPattern("^The above exception was the direct cause of")
    private static let causedBy = LogPattern("^Caused by: {text}")

    private static func reason(_ lines: [String], _ texts: [LogLineText], before end: Int) -> String? {
        if let chain = texts[..<end].firstIndex(where: { chained.match($0) != nil }) {
            return lines[..<chain].last { !$0.isEmpty && $0.first != " " }
        }
        return texts[..<end].reversed().lazy.compactMap { causedBy.match($0)?["text"] }.first
    }

    private static func isPart(_ part: String, of line: String, _ style: Style) -> Bool {
        if part.hasPrefix("^") { return line.hasPrefix(part.dropFirst()) }
        // Of Java it is the class.
        return style.language == "Java"
            ? line.drop { $0 == " " || $0 == "\t" }.dropFirst(3).hasPrefix(part) : line.contains(part)
    }

    private static func headline(
        _ lines: [String], _ texts: [LogLineText], _ style: Style, start: Int, end: Int
    ) -> String? {
        func shown(_ index: Int) -> String { String(decoding: texts[index].original, as: UTF8.self) }
        if style.isReversed {
            // The first line after the frames that is not indented.
            return lines[(end + 1)...].prefix(6).first { !$0.isEmpty && $0.first != " " }
        }
        guard !style.headlines.isEmpty else {
            // With its first frame.
            guard let from = shown(start).firstRange(of: "': ") ?? shown(start).firstRange(of: "` : ") else {
                return nil
            }
            return String(shown(start)[from.upperBound...])
        }
        return (max(0, start - 8)..<(style.headlineIsFrame ? start + 1 : start)).reversed().first { index in
            style.headlines.contains { $0.match(texts[index]) != nil }
        }.map(shown)
    }
}
