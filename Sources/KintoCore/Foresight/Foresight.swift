// SPDX-License-Identifier: Apache-2.0

/// Says before a build what will fail, from the settings and the files of a commit. A pure function of what was read.
public struct Foresight: Sendable {
    let manifest: Manifest
    let tree: SourceTree
    /// What its settings are called in texts.
    let file: String

    private static let mostPlaces = 8

    /// - Parameter tree: from the service's root.
    public init(_ manifest: Manifest, _ tree: SourceTree, file: String = "kinto.json") {
        self.manifest = manifest
        self.tree = tree
        self.file = file
    }

    /// What every deploy tells.
    public var warnings: [Warning] { start + port(SourceScan(tree)) }

    /// With what only a check tells, since it may well be meant.
    /// - Parameter config: names that the server-side configuration has; nil: it is not known.
    public func check(config: Set<String>?) -> [Warning] {
        let scan = SourceScan(tree)
        return start + port(scan) + variables(scan, config) + (tree.isWhole && tree.isRead ? [] : [partly])
    }

    private var partly: Warning {
        Warning(
            code: "source-not-read",
            "the repository is large: not all of its files were looked at (\(tree.limits.entries) names, \(tree.limits.files) sources of at most \(tree.limits.fileBytes >> 10) KiB)"
        )
    }

    // MARK: The start command

    private var start: [Warning] {
        let around = [
            ("release.command", manifest.release?.command), ("release.after", manifest.release?.after),
        ]
        .compactMap { what, command in command.map { (what: what, command: $0) } }
        return (manifest.commands + around).flatMap { what, command -> [Warning] in
            StartCommand.needs(command).compactMap { need in
                switch need {
                case .command: nil
                case .program(let path): path.hasPrefix("/") ? nil : program(path, of: what)
                case .script(let path, let interpreter): script(path, interpreter, of: what)
                case .packageScript(let script, let tool): package(script, tool, of: what)
                }
            }
        }
    }

    /// As seen from the service's root.
    private func place(_ path: String) -> String {
        manifest.build.output == "." ? path : "\(manifest.build.output)/\(path)"
    }

    private func mayBeMade(_ path: String) -> Bool {
        StartCommand.mayMake(path, build: manifest.build.command, package: tree.text("package.json"))
    }

    private func program(_ path: String, of what: String) -> Warning? {
        switch tree.look(place(path)) {
        case .missing where !mayBeMade(path):
            return Warning(
                code: "start-missing", "\(what) runs \(path), which the commit does not have",
                evidence: near(path),
                hint: .init(
                    manifest.build.command == nil
                        ? "commit it, or let build.command make it"
                        : "build.command only installs packages: commit it, or build it"))
        case .found(.file) where manifest.build.command?.contains("chmod") != true:
            return Warning(
                code: "start-not-marked", "\(what) runs \(path), which is not executable in the commit",
                hint: .init(
                    "set its executable bit and commit",
                    command: command("git update-index --chmod=+x", place(path))))
        case .found(.directory):
            return Warning(code: "start-missing", "\(what) runs \(path), which is a directory")
        default: return nil
        }
    }

    /// Only with a path that is plain: what a repository says becomes no command.
    private func command(_ words: String, _ path: String) -> String? {
        var path = path[...]
        if path.hasPrefix("./") { path = path.dropFirst(2) }
        return Hole("file").value(Array(path.utf8)[...]).map { "\(words) \($0)" }
    }

    private func script(_ path: String, _ interpreter: String, of what: String) -> Warning? {
        guard !path.hasPrefix("/"), tree.look(place(path)) == .missing, !mayBeMade(path) else { return nil }
        // Node.js finds a file without its ending.
        if ["node", "nodejs", "bun", "tsx", "ts-node"].contains(interpreter),
            [".js", ".json", ".cjs", ".mjs", ".ts"].contains(where: {
                tree.look(place(path + $0)) != .missing
            })
        {
            return nil
        }
        return Warning(
            code: "start-missing", "\(what) gives \(path) to \(interpreter), and the commit has no such file",
            evidence: near(path),
            hint: .init("see whether it is committed (git ls-files), and its name's capitals are right"))
    }

    private func package(_ script: String, _ tool: String, of what: String) -> Warning? {
        let path = place("package.json")
        guard let bytes = tree.text(path) else {
            guard tree.look(path) == .missing, !mayBeMade("package.json") else { return nil }
            return Warning(
                code: "start-missing",
                "\(what) runs the script '\(script)' of package.json, and the commit has no package.json")
        }
        var reader = JSONReader(bytes)
        guard let value = try? reader.read(), case .object(let members) = value.kind else { return nil }
        var names: [String] = []
        if case .object(let scripts)? = members.first(where: { $0.key == "scripts" })?.value.kind {
            names = scripts.map(\.key)
        }
        // What npm does without one.
        if names.contains(script) || script == "start" && tree.look(place("server.js")) != .missing {
            return nil
        }
        return Warning(
            code: "start-missing",
            "\(what) runs the script '\(shown(script))' of package.json, which has none of that name",
            evidence: names.isEmpty
                ? [] : ["scripts: \(names.prefix(12).map { shown($0) }.joined(separator: ", "))"],
            hint: .init("add it, or let start run the program itself"))
    }

    /// Files whose name differs by capitals or an ending only.
    private func near(_ path: String) -> [String] {
        let parts = place(path).split(separator: "/").filter { $0 != "." }
        guard let name = parts.last else { return [] }
        func stem(_ name: some StringProtocol) -> String {
            (name.lastIndex(of: ".").map { String(name[..<$0]) } ?? String(name)).lowercased()
        }
        let directory = parts.dropLast().joined(separator: "/")
        return tree.names(in: directory).filter { stem($0) == stem(name) && $0 != name }.prefix(3).map {
            "there is \(directory.isEmpty ? "" : directory + "/")\($0)"
        }
    }

    // MARK: The port

    private func port(_ scan: SourceScan) -> [Warning] {
        guard let start = manifest.start, !scan.asksForPort, !start.contains("PORT"),
            !manifest.env.values.contains(where: { $0.contains("PORT") })
        else { return [] }
        var places = scan.ports.map { ($0.port, $0.place.description) }
        if let port = SourceScan.port(LogLineText(Array(start.utf8)), SourcePatterns.words) {
            places.insert((port, "\(file): start: \(start)"), at: 0)
        }
        guard let first = places.first else { return [] }
        let isStable = manifest.port.map { Int($0) } == first.0
        return [
            Warning(
                code: "port-hard-coded",
                "it listens on port \(first.0) by itself, and nothing in it reads PORT\(isStable ? "; at \(first.0) the proxy listens, each instance is given another port" : "")",
                evidence: places.prefix(Foresight.mostPlaces).map(\.1),
                hint: .init("listen on the port in the variable PORT, or pass it on in start as $PORT"))
        ]
    }

    // MARK: Variables

    private func variables(_ scan: SourceScan, _ config: Set<String>?) -> [Warning] {
        let set = Set(manifest.env.keys).union(config ?? [])
        func places(_ names: [String]) -> [String] {
            names.prefix(Foresight.mostPlaces).map { name in
                scan.reads[name].map { "\(name) at \($0.description)" } ?? name
            }
                + (names.count > Foresight.mostPlaces
                    ? ["and \(names.count - Foresight.mostPlaces) more"] : [])
        }
        var warnings: [Warning] = []
        let missing = manifest.requires.filter { !set.contains($0) }
        if config != nil, !missing.isEmpty {
            warnings.append(
                Warning(
                    code: "required-unset",
                    "requires names variables that are not set: \(missing.joined(separator: ", "))",
                    evidence: places(missing),
                    hint: .init(
                        "set them",
                        command: "kinto config NAME set \(missing.map { "\($0)=…" }.joined(separator: " "))"))
            )
        }
        let unknown = scan.reads.keys.filter { !set.contains($0) && !manifest.requires.contains($0) }.sorted()
        if !unknown.isEmpty {
            warnings.append(
                Warning(
                    code: "variable-unset",
                    "the code reads variables that \(config == nil ? "neither requires nor env names" : "nothing sets"): \(unknown.prefix(20).joined(separator: ", "))",
                    evidence: places(unknown),
                    hint: .init(
                        "list those that it needs in requires: a deploy without them is refused before its build"
                    )))
        }
        return warnings
    }
}
