// SPDX-License-Identifier: Apache-2.0
internal import KintoCore

/// What the pages have for the command of a hint: a page that shows what it would do, and asks.
struct HintAction {
    let path: String
    let label: String
    /// That its page asks for.
    let role: Role

    /// - Parameter target: what the failure is about; the command may name another.
    /// - Returns: nil when there is no page for it.
    init?(_ command: String, at target: Target) {
        var words = command.split(separator: " ").map(String.init)
        guard words.first == "kinto" else { return nil }
        words.removeFirst()
        guard let verb = words.first else { return nil }
        words.removeFirst()
        func option(_ names: String...) -> String? {
            names.lazy.compactMap { name in
                words.firstIndex(of: name).flatMap { words.indices.contains($0 + 1) ? words[$0 + 1] : nil }
            }.first
        }
        let named = words.first.flatMap { try? ServiceName($0) }
        let environment = option("-e", "--env", "--environment").flatMap { try? EnvironmentName($0) }
        // A command without an environment means production, unless it names no service either.
        let place = Target(
            service: named ?? target.service,
            environment: environment ?? (named == nil ? target.environment : .production))
        let path = ReleaseView.path(place)
        switch verb {
        case "deploy":
            var query: [String] = []
            // `--ref …` leaves it open.
            if let ref = option("--ref"), ref != "…" { query.append("ref=\(HintAction.encoded(ref))") }
            if words.contains("--no-cache") { query.append("no-cache=1") }
            if words.contains("--force") { query.append("force=1") }
            self.init(.deployer, path: "\(path)/deploy" + HintAction.query(query), label: "Deploy…")
        case "rollback":
            let number = words.dropFirst().first.flatMap { Int($0) }
            self.init(
                .deployer, path: "\(path)/rollback" + HintAction.query(number.map { ["to=\($0)"] } ?? []),
                label: "Roll back…")
        case "config":
            let name = words.first { $0.contains("=") }?.prefix { $0 != "=" }
            self.init(
                .deployer,
                path: "\(path)/config"
                    + HintAction.query(name.map { ["name=\(HintAction.encoded(String($0)))"] } ?? []),
                label: name.map { "Set \($0)…" } ?? "Configuration")
        case "logs":
            let process = option("--process").flatMap {
                ProcessGroup.isInstance("\($0).1") || ProcessGroup.isInstance($0) ? $0 : nil
            }
            let log = words.contains("--console") || process != nil ? "console" : "log"
            let release = option("--release").flatMap { Int($0) }
            self.init(
                path: (release.map { "\(path)/releases/\($0)" } ?? "")
                    + HintAction.query(release == nil ? [] : process.map { ["process=\($0)"] } ?? [])
                    + "#\(log)",
                label: log == "console" ? "Console log" : "Release log")
        case "promote":
            guard words.count >= 3, let to = try? EnvironmentName(words[2]),
                let from = try? EnvironmentName(words[1])
            else { return nil }
            self.init(
                .deployer,
                path:
                    "\(ReleaseView.path(Target(service: place.service, environment: from)))/promote?to=\(to)",
                label: "Promote…")
        case "releases", "status": self.init(path: path, label: "To the service")
        case "resume", "pause", "suspend", "scale", "maintenance":
            self.init(path: "\(path)/settings", label: "Settings")
        case "environment": self.init(path: PlaceView.path(target.service), label: "Environments")
        case "deliveries": self.init(path: "/deliveries", label: "Deliveries")
        default: return nil
        }
    }

    private init(_ role: Role = .viewer, path: String, label: String) {
        self.role = role
        self.path = path
        self.label = label
    }

    private static func query(_ parts: [String]) -> String {
        parts.isEmpty ? "" : "?" + parts.joined(separator: "&")
    }

    private static func encoded(_ text: String) -> String {
        text.utf8.map { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
                UInt8(ascii: "."), UInt8(ascii: "/"):
                String(UnicodeScalar(byte))
            default: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }.joined()
    }
}
