// SPDX-License-Identifier: Apache-2.0
internal import Foundation

/// What a project without kinto.json plainly is, and the kinto.json that fits it.
public struct Detection: Sendable, Equatable {
    /// `Python (Flask)`
    public let name: String
    /// The files that it was known by.
    public let files: [String]
    /// A valid kinto.json, with comments; nil: it is known what it is, but not what starts it.
    public let settings: String?

    /// `Node.js (package.json, package-lock.json)`
    public var words: String { files.isEmpty ? name : "\(name) (\(files.joined(separator: ", ")))" }

    /// - Returns: nil when it is nothing that is known.
    public static func of(_ files: ProjectFiles) -> Detection? {
        var half: Detection?
        for rule in ProjectRules.all {
            guard let mark = rule.marks.first(where: files.has) else { continue }
            let facts = ProjectFacts(files, rule.facts)
            guard let start = rule.starts.first(where: facts.fits) else {
                half = half ?? Detection(name: rule.name, files: [mark], settings: nil)
                continue
            }
            let steps = rule.steps.compactMap { $0.first(where: facts.fits) }
            let names = ([start] + steps).map(\.name).filter { !$0.isEmpty }
            return Detection(
                name: names.isEmpty ? rule.name : "\(rule.name) with \(names.joined(separator: ", "))",
                files: [mark], settings: text(rule, steps, start, facts))
        }
        return half
    }

    private static func text(
        _ rule: ProjectRule, _ steps: [ProjectRule.Choice], _ start: ProjectRule.Choice,
        _ facts: ProjectFacts
    ) -> String {
        let all = steps + [start]
        var members: [String] = []
        let command = steps.map { facts.filled($0.command) }.filter { !$0.isEmpty }.joined(separator: " && ")
        if !command.isEmpty {
            var build = ["\"command\": \(quoted(command))"]
            if let output = steps.compactMap(\.output).last { build.append("\"output\": \(quoted(output))") }
            let caches = steps.flatMap(\.cache)
            if !caches.isEmpty { build.append("\"cache\": \(list(caches))") }
            members.append("\"build\": {\n    \(build.joined(separator: ",\n    "))\n  }")
        }
        if let site = start.site {
            let fallback = start.fallback.map { ", \"fallback\": \(quoted($0))" } ?? ""
            members.append("\"static\": { \"output\": \(quoted(site))\(fallback) }")
        } else {
            members.append("\"start\": \(quoted(facts.filled(start.command)))")
        }
        if !rule.env.isEmpty {
            let pairs = rule.env.map { "\(quoted($0.name)): \(quoted($0.value))" }.joined(separator: ", ")
            members.append("\"env\": { \(pairs) }")
        }
        let requires = all.flatMap(\.requires)
        if !requires.isEmpty { members.append("\"requires\": \(list(requires))") }
        let remarks =
            ["What kinto init made of this \(rule.name) project: change what does not fit."]
            + all.flatMap(\.notes)
        let comments = remarks.map { "  // \($0)\n" }.joined()
        return "{\n\(comments)  \(members.joined(separator: ",\n  "))\n}\n"
    }

    private static func list(_ texts: [String]) -> String {
        "[\(texts.map(quoted).joined(separator: ", "))]"
    }

    private static func quoted(_ text: String) -> String {
        let escaped = text.unicodeScalars.map { scalar in
            switch scalar {
            case "\"": "\\\""
            case "\\": "\\\\"
            default: scalar.value < 0x20 ? String(format: "\\u%04x", scalar.value) : String(scalar)
            }
        }
        return "\"\(escaped.joined())\""
    }
}
