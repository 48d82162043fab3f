// SPDX-License-Identifier: Apache-2.0
public import Wire

/// Explains a failure from what was printed and what is known: its cause, if a rule knows it, else the lines that look
/// most like one. Offline, in one pass over the log. Texts come from the log as plain text; of what a command is made of,
/// see ``Hole/isForCommands``.
public struct Diagnosis: Sendable {
    /// Where to look.
    public enum Source: Sendable {
        /// A release log: what its last command printed.
        case command(log: String)
        /// A console log, and the answer to the last probe, a line each.
        case console(log: String, answer: [String])
    }

    let source: Source
    let target: Target
    let release: Int
    /// The port that the instance was given.
    let port: UInt16?
    /// What was run, and where.
    let command: String
    let directory: String
    /// Names of the variables that are set.
    let variables: Set<String>
    let ending: SupervisorState.Ending?

    /// Codes that say the cause themselves: nothing that was printed is a better one.
    private static let plain: Set<String> = ["space-low", "daemonized", "foreign-listener"]
    private static let plainEndings = ["-memory", "-processes"]
    private static let mostLines = 14

    /// - Parameter environment: `NAME=value`, of what was run.
    public init(
        _ source: Source, _ target: Target, release: Int, port: UInt16? = nil, command: String,
        directory: String,
        environment: [String], ending: SupervisorState.Ending?
    ) {
        self.source = source
        self.target = target
        self.release = release
        self.port = port
        self.command = command
        self.directory = directory
        variables = Set(environment.map { String($0.prefix { $0 != "=" }) })
        self.ending = ending
    }

    private var exit: Int32? {
        if case .exited(let code) = ending { code } else { nil }
    }

    /// The failure with its cause, and with evidence instead of the log's last lines. What stands in `evidence` already
    /// was seen by kinto itself and stays in front.
    public func explain(_ failure: Failure) -> Failure {
        var result = failure
        if Diagnosis.plain.contains(failure.code)
            || Diagnosis.plainEndings.contains(where: failure.code.hasSuffix)
        {
            result.evidence += read().lines(of: self).suffix(Diagnosis.mostLines)
            return result
        }
        let reading = read()
        if let script = ScriptCause.of(command, in: directory, exit: exit, output: reading.scan.tail) {
            result.add(script, evidence: reading.scan.tail.suffix(3))
        } else if let (rule, values, lines) = reading.found(self) {
            result.cause = .init(code: rule.code, rule.sentence(values, known))
            result.evidence += lines
            let old = result.hints
            result.hints = rule.hints(values, known)
            for hint in old where !result.hints.contains(where: { $0.line == hint.line }) {
                result.hints.append(hint)
            }
            if let trace = reading.trace, rule.rank >= .likely,
                !lines.contains(where: { $0.contains(trace.headline) })
            {
                result.evidence.append(trace.headline)
            }
            if let trace = reading.trace, rule.rank >= .likely {
                result.evidence.append("at \(own(trace.place))")
            }
        } else if let trace = reading.trace {
            result.cause = .init(
                code: "uncaught-error", "an error was thrown at \(own(trace.place)): \(trace.headline)")
            result.evidence += [trace.headline, "at \(own(trace.place))"]
            if let reason = trace.reason { result.evidence.append("caused by \(reason)") }
        } else if let signal = ExitMeaning.of(ending) {
            result.cause = .init(code: signal.code, signal.words)
            result.evidence += reading.lines(of: self)
        } else {
            result.evidence += reading.lines(of: self)
        }
        if let cause = result.cause, directory.utf8.count > 1 {
            result.cause?.message = cause.message.replacing("\(directory)/", with: "")
        }
        if ["out-of-memory", "killed-by-system", "out-of-space"].contains(result.cause?.code) {
            result.evidence.insert(contentsOf: HostFacts.lines(directory), at: 0)
        }
        result.evidence = Array(result.evidence.prefix(Diagnosis.mostLines))
        return result
    }

    /// What the templates of rules may say.
    private var known: [String: String] {
        ["SERVICE": "\(target.service)", "RELEASE": "\(release)", "PORT": port.map { "\($0)" } ?? "$PORT"]
    }

    private func own(_ place: String) -> String {
        place.hasPrefix(directory + "/") ? String(place.dropFirst(directory.count + 1)) : place
    }

    // MARK: Reading

    private struct Reading {
        let scan: LogScan
        let section: LogSection?
        let answer: (scan: LogScan, lines: [String])?
        let trace: StackTrace?

        /// The rule that explains it, and the lines that show it, the one that tells most first.
        func found(_ diagnosis: Diagnosis) -> (Rule, [String: String], [String])? {
            let best = scan.best
            // What came back is what failed; what was printed may say why, if it is certain.
            if let answer, let match = answer.scan.best,
                best.map({ Rule.all[$0.rule].rank >= .cause }) != true
            {
                return (Rule.all[match.rule], match.values, [])
            }
            guard let best, let section else { return nil }
            let rule = Rule.all[best.rule]
            // A summary of tools is worth less than a place in the application's own code.
            if rule.rank == .summary, trace != nil { return nil }
            if rule.rank == .summary {
                return (rule, best.values, lines(of: diagnosis))
            }
            let shown = section.lines(around: best.offset, before: 0, after: rule.after)
            return (rule, best.values, [shown.line] + shown.after.filter { !$0.allSatisfy(\.isWhitespace) })
        }

        /// What looks most like the cause when nothing is known, and how the output ends.
        func lines(of diagnosis: Diagnosis) -> [String] {
            guard let suspect = scan.suspects.best, let section else {
                return scan.tail.suffix(12).filter { !$0.isEmpty }
            }
            // That a tool says that something failed tells nothing: what it printed before does.
            if scan.matches.contains(where: {
                $0.offset == suspect.offset && Rule.all[$0.rule].rank == .summary
            }) {
                let shown = section.lines(around: suspect.offset, before: 11, after: 2)
                return (shown.before + [shown.line] + shown.after).filter { !$0.allSatisfy(\.isWhitespace) }
            }
            let others = scan.suspects.others
            let shown = section.lines(around: suspect.offset, before: 2, after: others.isEmpty ? 6 : 3)
            var out = shown.before + [shown.line] + shown.after
            func add(_ lines: [String]) {
                let new = lines.filter { !out.contains($0) && !$0.allSatisfy(\.isWhitespace) }
                if !new.isEmpty, out.last != "…" { out.append("…") }
                out += new
            }
            for other in others {
                let line = section.lines(around: other, before: 0, after: 0).line
                if !out.contains(line) { add([line]) }
            }
            let isAtEnd = out.last.map { scan.tail.suffix(5).contains($0) } == true
            let end = scan.tail.suffix(others.isEmpty ? 4 : 3)
            isAtEnd ? out += end.filter { !out.contains($0) } : add(Array(end))
            return out.filter { !$0.allSatisfy(\.isWhitespace) }
        }
    }

    private func read() -> Reading {
        let path: String
        let kind: LogSection.Kind
        var place = Rule.Place.command
        var answer: (LogScan, [String])?
        switch source {
        case .command(let log): (path, kind) = (log, .release)
        case .console(let log, let lines):
            (path, kind, place) = (log, .console, .console)
            if !lines.isEmpty {
                var scan = LogScan(.answer, exit: nil)
                for (index, line) in lines.enumerated() { scan.take(Array(line.utf8)[...], at: index) }
                answer = (scan, lines)
            }
        }
        var scan = LogScan(place, exit: exit) { rule, values in isFit(Rule.all[rule], values) }
        let section = LogSection(path, kind)
        if let section { scan.read(section) }
        return Reading(
            scan: scan, section: section, answer: answer, trace: StackTrace.last(in: scan.tail))
    }

    /// A variable that is set is not missing.
    private func isFit(_ rule: Rule, _ values: [String: String]) -> Bool {
        if rule.code == "variable-missing", let name = values["variable"] { return !variables.contains(name) }
        return true
    }
}

extension Failure {
    mutating func add(_ cause: ScriptCause, evidence lines: some Sequence<String>) {
        self.cause = Cause(code: cause.code, cause.words)
        evidence += lines
        hints = cause.hints + hints
    }
}
