// SPDX-License-Identifier: Apache-2.0

extension Manifest {
    /// Reads and checks a kinto.json wholly.
    /// - Parameters:
    ///   - environment: whose overrides in `environments` are merged in.
    ///   - procfile: the repository's Procfile, which fills in `start`, `release` and `processes` that are absent.
    public static func parse(
        _ bytes: [UInt8], file: String = "kinto.json", environment: String = "production",
        procfile: [UInt8]? = nil
    ) -> Result<Manifest, ManifestErrors> {
        guard bytes.count <= sizeLimit else {
            return .failure(
                ManifestErrors(
                    file: file, bytes: [],
                    findings: [Finding(offset: 0, message: "larger than \(sizeLimit) bytes")]))
        }
        let findings = ObjectReader.Findings()
        var result: Manifest?
        do throws(Finding) {
            var reader = JSONReader(bytes)
            let text = try reader.read()
            let procfile = procfile.map(Procfile.init)
            // Every environment's settings are checked, so that a mistake does not wait for its first deploy.
            let overridden = overrides(of: text, findings)
            for name in overridden where name != environment {
                _ = decode(merged(text, name), procfile, ObjectReader.Findings(), report: findings)
            }
            result = decode(merged(text, environment), procfile, findings, report: findings)
            if !overridden.isEmpty { result?.overridden = overridden.sorted() }
        } catch { findings.all.append(error) }
        var seen: Set<String> = []
        let unique = findings.all.filter { seen.insert("\($0.offset) \($0.message)").inserted }
        if unique.isEmpty, let result { return .success(result) }
        return .failure(ManifestErrors(file: file, bytes: bytes, findings: unique))
    }

    private static func overrides(of text: JSONValue, _ findings: ObjectReader.Findings) -> [String] {
        guard case .object(let members) = text.kind,
            let environments = members.first(where: { $0.key == "environments" })?.value
        else { return [] }
        guard case .object(let list) = environments.kind else {
            findings.add(
                environments.offset,
                "environments must be an object { \"staging\": { … } }, not \(environments.name)")
            return []
        }
        for member in list where (try? EnvironmentName(member.key)) == nil {
            findings.add(
                member.keyOffset, "'\(shown(member.key))' is not an environment name: a-z, 0-9 and '-'")
        }
        return list.map(\.key)
    }

    /// The top level with one environment's settings laid over it, objects merged key by key.
    private static func merged(_ text: JSONValue, _ environment: String) -> JSONValue {
        guard case .object(let members) = text.kind else { return text }
        let base = members.filter { $0.key != "environments" }
        guard case .object(let list)? = members.first(where: { $0.key == "environments" })?.value.kind,
            let override =
                (list.first { $0.key == environment }
                ?? list.first { $0.key == Preview.settings && Preview.isName(environment) })?.value
        else { return JSONValue(kind: .object(base), offset: text.offset) }
        return overlay(JSONValue(kind: .object(base), offset: text.offset), override)
    }

    private static func overlay(_ base: JSONValue, _ override: JSONValue) -> JSONValue {
        guard case .object(var members) = base.kind, case .object(let changes) = override.kind else {
            return override
        }
        for change in changes {
            // Takes a key of the whole away (RFC 7396).
            if case .null = change.value.kind {
                members.removeAll { $0.key == change.key }
            } else if let index = members.firstIndex(where: { $0.key == change.key }) {
                members[index] = .init(
                    key: change.key, keyOffset: change.keyOffset,
                    value: overlay(members[index].value, change.value))
            } else {
                members.append(change)
            }
        }
        return JSONValue(kind: .object(members), offset: base.offset)
    }

    private static func decode(
        _ text: JSONValue, _ procfile: Procfile?, _ findings: ObjectReader.Findings,
        report: ObjectReader.Findings
    ) -> Manifest? {
        defer { if findings !== report { report.all += findings.all } }
        let top = ObjectReader(text, path: "", findings: findings)
        var m = Manifest(
            start: top.string("start", example: "node server.js") ?? (top.has("start") ? "-" : nil))
        m.port = top.integer("port", in: 1...65535).flatMap(UInt16.init(exactly:))
        m.env = top.variables("env") ?? [:]
        m.build = build(top.object("build"))
        if top.has("git") {
            let reader = top.object("git")
            var git = Git()
            git.submodules = reader.flag("submodules") ?? false
            m.git = git
            reader.finish()
        }
        m.probe = probe(top.object("probe"))
        m.rollout = rollout(top.object("rollout"))
        m.release = releaseCommand(top, procfile)
        m.hosts = hosts(top, findings)
        m.readFiles(top)
        m.readProcesses(top, procfile)
        if m.start == nil, m.static == nil { m.start = procfile?.types["web"] }
        m.checkFiles(top)
        if m.groups().isEmpty, m.static == nil {
            findings.add(
                text.offset,
                "'start' is missing: the command that runs the service, like \"start\": \"node server.js\" (or \"static\", for a site of files)"
            )
        } else if !m.takesRequests {
            for key in ["port", "hosts"] where top.has(key) {
                top.complain(key, "is for requests, and there is no 'start' that would answer them")
            }
        }
        m.requires = (top.strings("requires", example: "DATABASE_URL") ?? []).compactMap { entry in
            guard let reason = VariableName.problem(entry.text) else { return entry.text }
            findings.add(entry.offset, "requires: \(reason)")
            return nil
        }
        if let root = top.string("root", example: "services/api") {
            m.root = checked(root, top, "root") ?? "."
        }
        m.paths = (top.strings("paths", example: "services/api/**") ?? []).map(\.text)
        top.finish()
        m.unsupported += procfile?.notes ?? []
        return m
    }

    private static func build(_ r: ObjectReader) -> Build {
        var b = Build()
        b.command = r.string("command", example: "npm ci && npm run build")
        if let output = r.string("output", example: "dist") { b.output = checked(output, r, "output") ?? "." }
        b.cache = (r.strings("cache", example: "node_modules") ?? []).compactMap {
            checked($0.text, r, "cache")
        }
        if b.cache.contains(".") {
            r.complain("cache", "must name directories below the root, not the root itself")
        }
        if let span = r.timeSpan("timeout") { b.timeout = span }
        if let span = r.timeSpan("silence") { b.silence = span }
        b.env = r.variables("env") ?? [:]
        b.memory = r.byteCount("memory")
        r.finish()
        return b
    }

    private static func probe(_ r: ObjectReader) -> Probe {
        var p = Probe()
        if let path = r.string("path", example: "/healthz") {
            if path.hasPrefix("/"), path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) {
                p.path = path
            } else {
                r.complain("path", "must begin with '/' and hold no spaces or control characters")
            }
        }
        if let status = r.value("status") { p.status = statuses(status, r) ?? p.status }
        if let host = r.string("host", example: "localhost") {
            if isHostName(host) { p.host = host } else { r.complain("host", "is not a host name") }
        }
        if let span = r.timeSpan("timeout") { p.timeout = span }
        if let span = r.timeSpan("interval") { p.interval = span }
        if let span = r.timeSpan("deadline") { p.deadline = span }
        if let span = r.timeSpan("stable") { p.stable = span }
        if p.timeout.milliseconds == 0 { r.complain("timeout", "must be more than 0") }
        if p.interval.milliseconds == 0 { r.complain("interval", "must be more than 0") }
        if p.deadline.milliseconds == 0 { r.complain("deadline", "must be more than 0") }
        if p.stable >= p.deadline {
            r.complain("stable", "must be shorter than the deadline (\(p.deadline))")
        }
        r.finish()
        return p
    }

    private static func statuses(_ value: JSONValue, _ r: ObjectReader) -> [StatusRange]? {
        let text: String
        switch value.kind {
        case .string(let s), .number(let s): text = s
        default: text = ""
        }
        let ranges = text.split(separator: ",", omittingEmptySubsequences: false).compactMap {
            part -> StatusRange? in
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map {
                Int($0.filter { $0 != " " })
            }
            guard let first = ends.first ?? nil, let last = ends.last ?? nil, ends.count <= 2, first <= last,
                (100...599).contains(first), (100...599).contains(last)
            else { return nil }
            return StatusRange(from: first, through: last)
        }
        if !text.isEmpty, ranges.count == text.split(separator: ",", omittingEmptySubsequences: false).count {
            return ranges
        }
        r.complain("status", "must be statuses like \"200-399\" or \"200,204\"")
        return nil
    }

    private static func rollout(_ r: ObjectReader) -> Rollout {
        var o = Rollout()
        if let instances = r.integer("instances", in: 1...100) { o.instances = instances }
        if let span = r.timeSpan("drain") { o.drain = span }
        if let span = r.timeSpan("watch") { o.watch = span }
        if let span = r.timeSpan("warm") { o.warm = span }
        if let strategy = r.string("strategy", example: "rolling") {
            if let known = Rollout.Strategy(rawValue: strategy) {
                o.strategy = known
            } else {
                r.complain("strategy", "must be \"rolling\" or \"recreate\"")
            }
        }
        o.stop = stop(r.object("stop"), usual: o.stop)
        r.finish()
        return o
    }

    private static func hosts(_ top: ObjectReader, _ findings: ObjectReader.Findings) -> [String] {
        (top.strings("hosts", example: "www.example.com") ?? []).compactMap { entry in
            let host = entry.text.lowercased()
            if isHostName(host) { return host }
            findings.add(entry.offset, "'\(shown(entry.text))' is not a host name like \"www.example.com\"")
            return nil
        }
    }

    /// A relative path that stays below where it begins.
    static func checked(_ path: String, _ r: ObjectReader, _ key: String) -> String? {
        let trimmed = path.hasSuffix("/") ? String(path.dropLast()) : path
        if trimmed == "." { return "." }
        guard isPath(trimmed) else {
            r.complain(
                key,
                "must be a path below the root like \"dist\", without '..', '.git' or a leading '/': \"\(shown(path))\""
            )
            return nil
        }
        return trimmed
    }

    /// Whether it is a path below the root of a repository, in its plain form.
    public static func isPath(_ path: String) -> Bool {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        return !parts.isEmpty && parts.allSatisfy { !["", ".", "..", ".git"].contains($0) }
            && path.utf8.count <= 1024 && !path.utf8.contains { $0 < 0x20 }
    }

    public static func isHostName(_ name: String) -> Bool {
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        return name.utf8.count <= 253
            && labels.allSatisfy { label in
                !label.isEmpty && label.utf8.count <= 63 && !label.hasPrefix("-") && !label.hasSuffix("-")
                    && label.utf8.allSatisfy { byte in
                        switch byte {
                        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
                            true
                        default: false
                        }
                    }
            }
    }
}

extension TimeSpan: Comparable {
    public static func < (a: TimeSpan, b: TimeSpan) -> Bool { a.milliseconds < b.milliseconds }
}
