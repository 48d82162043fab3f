// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import KintoCore

/// What a deploy would do, for people.
struct PlanView {
    let plan: [String: Any]

    private func text(_ key: String) -> String? { (plan[key] as? String).map { Output.safe($0) } }

    /// - Throws: the exit code that the deploy would have: 1 when it would fail, 3 when it would be refused.
    func show(_ options: GlobalOptions) throws {
        if options.json { Output.json(plan) } else { print() }
        switch text("verdict") {
        case "fails": throw ExitCode(1)
        case "refused": throw ExitCode(3)
        default: return
        }
    }

    private func print() {
        let target = "\(text("service") ?? "")/\(text("environment") ?? "")"
        let commit = "\((text("commit") ?? "").prefix(7)) \(text("subject") ?? "")".trimmingCharacters(
            in: .whitespaces)
        let head =
            switch text("verdict") {
            case "deploys": "Would deploy"
            case "already-live", "superseded": "Would not deploy"
            case "refused": "Would be refused:"
            default: "Would fail:"
            }
        Output.line("\(head) \(commit) (\(text("branch") ?? "")) to \(target)")
        if let reason = text("reason") { Output.line("       \(reason)") }
        for hint in (plan["failure"] as? [String: Any])?["hints"] as? [[String: Any]] ?? [] {
            let command = (hint["command"] as? String).map { ": \(Output.safe($0))" } ?? ""
            Output.line("       -> \(Output.safe(hint["text"] as? String ?? ""))\(command)")
        }
        for line in (plan["failure"] as? [String: Any])?["evidence"] as? [String] ?? [] {
            Output.line("       | \(Output.safe(line))")
        }
        queue()
        if let artifact = plan["artifact"] as? [String: Any] {
            let reason = Output.safe(artifact["reason"] as? String ?? "")
            Output.line(
                "       "
                    + ((artifact["from"] as? Int).map {
                        "no build: the artifact of release \($0) is taken (\(reason))"
                    } ?? "build: \(reason)"))
        }
        let steps = plan["steps"] as? [[String: Any]] ?? []
        Output.table(
            steps.map { step in
                [
                    "       \(step["stage"] as? String ?? "")",
                    (step["expected"] as? Double).map { StageTimes.words($0) } ?? "-",
                    Output.safe(step["what"] as? String ?? ""),
                ]
            })
        if let expected = plan["expected"] as? Double, expected > 0 {
            Output.line(
                "       about \(StageTimes.words(expected)), as the last times\(text("url").map { "; then live at \($0)" } ?? "")"
            )
        }
        for warning in plan["warnings"] as? [[String: Any]] ?? [] { WarningView.show(warning) }
        Output.line("       Nothing was queued or changed.")
    }

    private func queue() {
        let queue = plan["queue"] as? [String: Any] ?? [:]
        func list(_ key: String) -> String? {
            let numbers = queue[key] as? [Int] ?? []
            return numbers.isEmpty ? nil : numbers.map { "\($0)" }.joined(separator: ", ")
        }
        if let ends = queue["ends"] as? Int {
            Output.line("       ends release \(ends), which is on its way")
        }
        if let after = list("after") { Output.line("       waits for release \(after)") }
        if let replaced = list("replaces") {
            Output.line("       takes the place of release \(replaced), which waits")
        }
    }
}

/// A warning for people.
enum WarningView {
    static func show(_ warning: [String: Any]) {
        func safe(_ value: Any?) -> String { Output.safe(value as? String ?? "") }
        Output.line(" !     Warning: \(safe(warning["message"])) (\(safe(warning["code"])))")
        for line in warning["evidence"] as? [String] ?? [] { Output.line("       | \(Output.safe(line))") }
        if let hint = warning["hint"] as? [String: Any] {
            let command = (hint["command"] as? String).map { ": \(Output.safe($0))" } ?? ""
            Output.line("       -> \(safe(hint["text"]))\(command)")
        }
    }
}
