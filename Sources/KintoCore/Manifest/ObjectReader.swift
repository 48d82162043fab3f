// SPDX-License-Identifier: Apache-2.0

/// Takes typed values out of one JSON object. Problems are collected, not thrown, so that all are told at once; keys
/// that nobody asked for are problems, too.
final class ObjectReader {
    private let members: [String: JSONValue.Member]
    private let path: String
    private let findings: Findings
    private var known: Set<String> = []

    /// Where the readers of one text put their findings.
    final class Findings {
        var all: [Finding] = []
        func add(_ offset: Int, _ message: String) { all.append(Finding(offset: offset, message: message)) }
    }

    /// - Parameter path: how messages name the object: empty for the top.
    init(_ value: JSONValue?, path: String, findings: Findings) {
        self.path = path
        self.findings = findings
        switch value?.kind {
        case .object(let list):
            members = Dictionary(list.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
        case nil: members = [:]
        default:
            members = [:]
            if let value {
                findings.add(
                    value.offset,
                    "\(path.isEmpty ? "kinto.json" : path) must be an object { … }, not \(value.name)")
            }
        }
    }

    func has(_ key: String) -> Bool { members[key] != nil }
    func offset(_ key: String) -> Int { members[key]?.value.offset ?? 0 }
    func name(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }
    var keys: [String] { members.keys.sorted() }

    func value(_ key: String) -> JSONValue? {
        known.insert(key)
        return members[key]?.value
    }

    func object(_ key: String) -> ObjectReader {
        ObjectReader(value(key), path: name(key), findings: findings)
    }

    func complain(_ key: String, _ message: String) { findings.add(offset(key), "\(name(key)) \(message)") }

    func string(_ key: String, example: String) -> String? {
        guard let value = value(key) else { return nil }
        guard case .string(let text) = value.kind else {
            findings.add(value.offset, "\(name(key)) must be a string like \"\(example)\", not \(value.name)")
            return nil
        }
        guard !text.isEmpty else {
            complain(key, "must not be empty")
            return nil
        }
        return text
    }

    func integer(_ key: String, in range: ClosedRange<Int>) -> Int? {
        guard let value = value(key) else { return nil }
        guard case .number(let text) = value.kind, let number = Int(text), range.contains(number) else {
            let found = if case .number(let text) = value.kind { text } else { value.name }
            findings.add(
                value.offset,
                "\(name(key)) must be a whole number from \(range.lowerBound) to \(range.upperBound), not \(found)"
            )
            return nil
        }
        return number
    }

    func flag(_ key: String) -> Bool? {
        guard let value = value(key) else { return nil }
        guard case .bool(let flag) = value.kind else {
            findings.add(value.offset, "\(name(key)) must be true or false, not \(value.name)")
            return nil
        }
        return flag
    }

    func timeSpan(_ key: String) -> TimeSpan? {
        guard let value = value(key) else { return nil }
        if case .string(let text) = value.kind, let span = TimeSpan(text) { return span }
        switch value.kind {
        case .number(let text): complain(key, "needs a unit: write \"\(text)s\" or \"\(text)ms\"")
        case .string(let text):
            complain(
                key,
                "must be a duration like \"250ms\", \"30s\" or \"15m\" of at most 24h, not \"\(shown(text))\""
            )
        default: complain(key, "must be a duration like \"30s\", not \(value.name)")
        }
        return nil
    }

    /// `512MiB`, in bytes.
    func byteCount(_ key: String) -> Int? {
        guard let text = string(key, example: "512MiB") else { return nil }
        for (unit, size) in [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)] where text.hasSuffix(unit)
        {
            if let number = Int(text.dropLast(3)), number > 0, number <= (1 << 40) / size {
                return number * size
            }
        }
        complain(key, "must be a size like \"512MiB\" or \"2GiB\", not \"\(shown(text))\"")
        return nil
    }

    func strings(_ key: String, example: String) -> [(text: String, offset: Int)]? {
        guard let value = value(key) else { return nil }
        guard case .array(let elements) = value.kind else {
            findings.add(value.offset, "\(name(key)) must be a list like [\"\(example)\"], not \(value.name)")
            return nil
        }
        return elements.compactMap { element in
            if case .string(let text) = element.kind, !text.isEmpty { return (text, element.offset) }
            findings.add(
                element.offset, "\(name(key)) may hold only strings like \"\(example)\", not \(element.name)")
            return nil
        }
    }

    /// Variables: names are checked, kinto's own are refused.
    func variables(_ key: String) -> [String: String]? {
        guard let value = value(key) else { return nil }
        guard case .object(let list) = value.kind else {
            findings.add(
                value.offset,
                "\(name(key)) must be an object of strings like { \"LOG_LEVEL\": \"info\" }, not \(value.name)"
            )
            return nil
        }
        var result: [String: String] = [:]
        for member in list {
            if let reason = VariableName.problem(member.key) {
                findings.add(member.keyOffset, "\(name(key)): \(reason)")
            } else if case .string(let text) = member.value.kind {
                result[member.key] = text
            } else {
                findings.add(
                    member.value.offset,
                    "\(name(key)).\(member.key) must be a string: put it in double quotes")
            }
        }
        return result
    }

    /// Complains of every key that was not asked for.
    func finish() {
        for member in members.values where !known.contains(member.key) {
            let near = known.map { ($0, distance($0, member.key)) }.min { ($0.1, $0.0) < ($1.1, $1.0) }
            let hint =
                if path.isEmpty, let meaning = ForeignKeys.meaning(member.key) {
                    "; \(meaning)"
                } else if let near, near.1 <= max(2, member.key.count / 3) {
                    "; did you mean '\(near.0)'?"
                } else { "" }
            findings.add(
                member.keyOffset,
                "unknown key '\(shown(path.isEmpty ? member.key : "\(path).\(member.key)"))'\(hint)")
        }
    }

    /// Levenshtein's distance, of the first 40 characters.
    private func distance(_ a: String, _ b: String) -> Int {
        let (a, b) = (Array(a.prefix(40)), Array(b.prefix(40)))
        var row = Array(0...b.count)
        for (i, left) in a.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, right) in b.enumerated() {
                (diagonal, row[j + 1]) = (
                    row[j + 1], left == right ? diagonal : min(diagonal, row[j], row[j + 1]) + 1
                )
            }
        }
        return row[b.count]
    }
}

/// The names that environment variables may have.
public enum VariableName {
    /// What is wrong with a name; nil when nothing is.
    public static func problem(_ name: String) -> String? {
        let bytes = Array(name.utf8)
        func letter(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "_"):
                true
            default: false
            }
        }
        guard let first = bytes.first, letter(first), bytes.count <= 256,
            bytes.allSatisfy({ letter($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else {
            return
                "'\(shown(name))' is not a variable name: letters, digits and '_', not beginning with a digit"
        }
        if ["PORT", "HOST", "SOURCE_VERSION"].contains(name) || name.hasPrefix("KINTO_") {
            return "'\(name)' is set by kinto and cannot be set here"
        }
        return nil
    }
}
