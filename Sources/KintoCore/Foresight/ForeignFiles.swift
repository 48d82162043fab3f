// SPDX-License-Identifier: Apache-2.0

/// Files that tell other tools how to deploy. kinto reads none of them but the Procfile; where there is no kinto.json, one line
/// says what was seen and what to begin with.
public enum ForeignFiles {
    public static let known: [(path: String, of: String)] = [
        ("Procfile", "Heroku"), ("app.json", "Heroku"), ("heroku.yml", "Heroku"), ("Dockerfile", "Docker"),
        ("docker-compose.yml", "Docker Compose"), ("docker-compose.yaml", "Docker Compose"),
        ("compose.yml", "Docker Compose"),
        ("compose.yaml", "Docker Compose"), ("fly.toml", "Fly.io"), ("vercel.json", "Vercel"),
        ("netlify.toml", "Netlify"),
        ("render.yaml", "Render"), ("railway.json", "Railway"), ("railway.toml", "Railway"),
        ("nixpacks.toml", "Nixpacks"),
        ("captain-definition", "CapRover"), ("config/deploy.yml", "Kamal"), ("app.yaml", "App Engine"),
        ("serverless.yml", "Serverless"), ("wrangler.toml", "Workers"), ("package.json", "npm"),
    ]

    /// Files larger than this are not looked into, in bytes.
    public static let sizeLimit = 64 << 10

    /// nil: none of them is there.
    /// - Parameter read: the content of a file, empty when it is too large, nil when it is not a plain file.
    public static func warning(_ read: (String) throws -> [UInt8]?) rethrows -> Warning? {
        var found: [(path: String, of: String, bytes: [UInt8])] = []
        for (path, of) in known { if let bytes = try read(path) { found.append((path, of, bytes)) } }
        let start = found.lazy.compactMap { proposal($0.path, $0.bytes) }.first
        // A package.json alone is no sign of another tool.
        let foreign = found.filter { !["package.json", "Procfile"].contains($0.path) }
        guard !foreign.isEmpty || start != nil else { return nil }
        let names = foreign.map { "\($0.path) (\($0.of))" }.joined(separator: ", ")
        return Warning(
            code: "foreign-files",
            foreign.isEmpty
                ? "there is a package.json, which says how it starts"
                : "there is \(names), which kinto does not read",
            hint: start.map { .init("begin with a kinto.json like { \"start\": \"\($0)\" }") })
    }

    /// What it starts with, for a JSON text.
    private static func proposal(_ path: String, _ bytes: [UInt8]) -> String? {
        let command: String?
        switch path {
        case "Dockerfile": command = dockerfile(bytes)
        case "package.json": command = hasStart(bytes) ? "npm start" : nil
        default: return nil
        }
        guard let command, command.utf8.count <= 200, command.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F })
        else { return nil }
        return command.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
    }

    /// The last CMD, in either of its forms.
    private static func dockerfile(_ bytes: [UInt8]) -> String? {
        let lines = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline)
        guard let line = lines.last(where: { $0.hasPrefix("CMD ") }) else { return nil }
        let rest = line.dropFirst(4).drop { $0 == " " }
        guard rest.first == "[" else { return rest.hasSuffix("\\") ? nil : String(rest) }
        var reader = JSONReader(Array(rest.utf8))
        guard let value = try? reader.read(), case .array(let elements) = value.kind else { return nil }
        let words = elements.compactMap { element -> String? in
            if case .string(let word) = element.kind { word } else { nil }
        }
        guard words.count == elements.count, !words.isEmpty, !words.contains(where: { $0.contains(" ") })
        else { return nil }
        return words.joined(separator: " ")
    }

    private static func hasStart(_ bytes: [UInt8]) -> Bool {
        var reader = JSONReader(bytes)
        guard let value = try? reader.read(), case .object(let members) = value.kind,
            case .object(let scripts)? = members.first(where: { $0.key == "scripts" })?.value.kind
        else { return false }
        return scripts.contains { $0.key == "start" }
    }
}
