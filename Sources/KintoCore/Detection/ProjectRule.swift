// SPDX-License-Identifier: Apache-2.0
internal import Foundation

/// How one kind of project is known, built and started. Data: see `ProjectRules`.
struct ProjectRule: Sendable {
    let name: String
    /// One of these files makes it this kind.
    let marks: [String]
    var facts: [Fact] = []
    /// The build: of each group the first that fits, one after the other.
    var steps: [[Choice]] = []
    /// The first that fits; without one the project is not plain enough.
    let starts: [Choice]
    var env: [(name: String, value: String)] = []

    /// Something that is read out of a file, for conditions and `{name}` in commands.
    struct Fact: Sendable {
        enum Origin: Sendable {
            /// The value at a path of keys.
            case json(String, [String])
            /// What the first group of a pattern matches in the first of these files that it fits. `{name.module}` is that
            /// file as Python names it.
            case pattern([String], String)
            /// The first of these files that there is.
            case file([String])
        }

        let name: String
        let origin: Origin

        init(_ name: String, _ origin: Origin) {
            self.name = name
            self.origin = origin
        }
    }

    enum Condition: Sendable {
        case file(String)
        case noFile(String)
        /// One of the files has the word, in any case.
        case mentions([String], String)
        case known(String)
        case unknown(String)
    }

    struct Choice: Sendable {
        /// What it was known by, for people: `npm`, `Flask`.
        var name = ""
        var when: [Condition] = []
        var command = ""
        /// Of a start: nothing is started, the files of this directory are the site.
        var site: String?
        /// The page of the site that stands for all that are made in the browser.
        var fallback: String?
        var cache: [String] = []
        var output: String?
        var requires: [String] = []
        /// Lines for the file: what may have to be added.
        var notes: [String] = []
    }
}

/// What is known of a project by a rule.
struct ProjectFacts {
    private let files: ProjectFiles
    private(set) var values: [String: String] = [:]

    init(_ files: ProjectFiles, _ facts: [ProjectRule.Fact]) {
        self.files = files
        for fact in facts where values[fact.name] == nil { find(fact) }
    }

    private mutating func find(_ fact: ProjectRule.Fact) {
        switch fact.origin {
        case .json(let path, let keys): values[fact.name] = files.value(path, keys)
        case .file(let paths): values[fact.name] = paths.first(where: files.has)
        case .pattern(let paths, let pattern):
            guard
                let expression = try? NSRegularExpression(pattern: pattern, options: [.anchorsMatchLines])
            else { return }
            for path in paths {
                guard let text = files.text(path),
                    let match = expression.firstMatch(
                        in: text, range: NSRange(text.startIndex..., in: text)),
                    let range = Range(match.range(at: min(1, match.numberOfRanges - 1)), in: text)
                else { continue }
                values[fact.name] = String(text[range])
                let name = path.hasSuffix("/__init__.py") ? path.dropLast(12) : path.dropLast(3)
                values["\(fact.name).module"] = name.split(separator: "/").joined(separator: ".")
                return
            }
        }
    }

    func fits(_ choice: ProjectRule.Choice) -> Bool {
        // What would stand in a command has to be plain.
        let used = ProjectFacts.holes(choice.command)
        guard used.allSatisfy({ values[$0].map(ProjectFacts.isPlain) == true }) else { return false }
        return choice.when.allSatisfy { condition in
            switch condition {
            case .file(let path): files.has(path)
            case .noFile(let path): !files.has(path)
            case .known(let name): values[name] != nil
            case .unknown(let name): values[name] == nil
            case .mentions(let paths, let word): paths.contains { mentions($0, word) }
            }
        }
    }

    private func mentions(_ path: String, _ word: String) -> Bool {
        guard let text = files.text(path) else { return false }
        let quoted = NSRegularExpression.escapedPattern(for: word)
        return text.range(
            of: "(?<![A-Za-z0-9_.-])\(quoted)(?![A-Za-z0-9_-])",
            options: [.regularExpression, .caseInsensitive])
            != nil
    }

    func filled(_ text: String) -> String {
        ProjectFacts.holes(text).reduce(text) {
            $0.replacingOccurrences(of: "{\($1)}", with: values[$1] ?? "")
        }
    }

    private static func holes(_ text: String) -> [String] {
        text.split(separator: "{").dropFirst().compactMap { part in
            part.firstIndex(of: "}").map { String(part[..<$0]) }
        }
    }

    /// A word of a shell that is nothing but itself.
    private static func isPlain(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 200 && !text.hasPrefix("-") && !text.contains("..")
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "_-./@".utf8.contains(byte)
                }
            }
    }
}
