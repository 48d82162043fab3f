// SPDX-License-Identifier: Apache-2.0

/// What of a request stands in the audit log: values only of members that are known to hold no secret, of all others the name.
enum Told {
    private static let values: Set = [
        "ref", "number", "from", "to", "branch", "instances", "kind", "role", "keep", "delivery", "queue",
        "missed",
        "provider", "overlap", "drain", "retryAfter", "service", "repository", "config",
    ]
    /// The path, the query or the route says it.
    private static let left: Set = ["environment", "name", "confirm"]
    /// Of these "off" says something, too.
    private static let switches: Set = ["autoDeploy", "protect", "on"]

    static func words(_ members: [String: JSONBody]) -> [String] {
        members.sorted { $0.key < $1.key }.flatMap { words($0.key, $0.value) }
    }

    private static func words(_ name: String, _ value: JSONBody) -> [String] {
        if left.contains(name) { return [] }
        switch value {
        case .null: return []
        case .boolean(let isSo):
            if switches.contains(name) { return ["\(name) \(isSo ? "on" : "off")"] }
            return isSo ? [name] : []
        case .text(let text) where values.contains(name): return ["\(name) \(text)"]
        case .integer(let number) where values.contains(name): return ["\(name) \(number)"]
        case .object(let members) where name == "set": return members.keys.sorted().map { "set \($0)" }
        case .list(let names) where name == "unset":
            return names.map { if case .text(let text) = $0 { "unset \(text)" } else { "unset" } }
        default: return [name]
        }
    }

    /// Of a form of the dashboard.
    static func words(_ form: [String: String]) -> [String] {
        form.sorted { $0.key < $1.key }.compactMap { name, value in
            switch name {
            case "variable": "set \(value)"
            case "unset": "unset \(value)"
            case "force", "secret": name
            case "no-cache": "noCache"
            case "current": value == "1" ? name : nil
            case "ref", "number", "to", "branch", "instances", "repository", "role", "delivery":
                value.isEmpty ? nil : "\(name) \(value)"
            default: nil
            }
        }
    }
}
