// SPDX-License-Identifier: Apache-2.0

/// What is looked at of a service's files: the names, and the texts of small source files near the root. Trees may be hostile:
/// everything has a limit, links are never followed, and what was not looked at counts as unknown and not as missing.
public struct SourceTree: Sendable {
    public enum Kind: Sendable {
        case file, executable, link, directory, submodule
    }

    public struct Text: Sendable {
        public let path: String
        public let bytes: [UInt8]
    }

    /// What stands at a path, as far as it is known.
    public enum Found: Sendable, Equatable {
        case found(Kind)
        case missing
        case unknown
    }

    public struct Limits: Sendable {
        /// Names.
        public var entries = 20_000
        public var depth = 24
        /// Files that are read, the size of one and of all together in bytes.
        public var files = 1_000
        public var fileBytes = 128 << 10
        public var bytes = 4 << 20
        public var time = Duration.seconds(2)
        public init() {}
    }

    public let limits: Limits
    public private(set) var texts: [Text] = []
    /// Whether all names are known.
    public private(set) var isWhole = true
    /// Whether all sources were read.
    public private(set) var isRead = true
    private var entries: [String: Kind] = [:]
    private var bytes = 0
    private let end: ContinuousClock.Instant

    public init(limits: Limits = Limits()) {
        self.limits = limits
        end = .now + limits.time
    }

    // MARK: Filling it, what is near the root first

    /// Whether the limits allow more.
    public var hasRoom: Bool { entries.count < limits.entries && .now < end }

    /// Notes that something was left out.
    public mutating func cut() { isWhole = false }

    /// - Parameter path: from the service's root, its parts separated by single slashes.
    /// - Returns: whether a directory is to be gone into.
    public mutating func add(_ path: String, _ kind: Kind) -> Bool {
        guard hasRoom else {
            isWhole = false
            return false
        }
        entries[path] = kind
        guard kind == .directory, !SourceTree.skipped.contains(SourceTree.name(path)) else { return false }
        guard path.utf8.count(where: { $0 == UInt8(ascii: "/") }) + 1 < limits.depth else {
            isWhole = false
            return false
        }
        return true
    }

    /// Whether a file may say which port and which variables the service uses.
    public static func isSource(_ path: String) -> Bool {
        let name = SourceTree.name(path)
        let ending = name.lastIndex(of: ".").map { name[name.index(after: $0)...].lowercased() } ?? ""
        return (endings.contains(ending) || names.contains(name)) && !isForTests(path)
    }

    /// Whether the limits allow that a source file is read.
    /// - Parameter size: asked for only if any may be read yet.
    public mutating func wants<E>(size: () throws(E) -> Int) throws(E) -> Bool {
        guard texts.count < limits.files, bytes < limits.bytes, .now < end else {
            isRead = false
            return false
        }
        let size = try size()
        guard size > 0 else { return false }
        guard size <= limits.fileBytes, bytes + size <= limits.bytes else {
            isRead = false
            return false
        }
        return true
    }

    public mutating func take(_ path: String, _ content: [UInt8]) {
        bytes += content.count
        texts.append(Text(path: path, bytes: content))
    }

    // MARK: Asking it

    public func look(_ path: String) -> Found {
        let parts = path.split(separator: "/").filter { $0 != "." }
        guard !parts.contains("..") else { return .unknown }
        if let kind = entries[parts.joined(separator: "/")] { return .found(kind) }
        for count in 1..<max(1, parts.count) {
            switch entries[parts[..<count].joined(separator: "/")] {
            case .directory? where !SourceTree.skipped.contains(String(parts[count - 1])): continue
            case nil: return isWhole ? .missing : .unknown
            // A file has nothing below it; of a link, a submodule and what is skipped it is not known.
            case .file?, .executable?: return .missing
            default: return .unknown
            }
        }
        return isWhole ? .missing : .unknown
    }

    public func text(_ path: String) -> [UInt8]? { texts.first { $0.path == path }?.bytes }

    /// The names in a directory; the root is empty.
    public func names(in directory: String) -> [String] {
        let prefix = directory.isEmpty ? "" : directory + "/"
        return entries.keys.filter { $0.hasPrefix(prefix) && !$0.dropFirst(prefix.count).contains("/") }
            .map { String($0.dropFirst(prefix.count)) }.sorted()
    }

    // MARK: What is of interest

    /// Directories of what others wrote or tools made.
    private static let skipped: Set<String> = [
        ".git", "node_modules", "bower_components", "vendor", "target", "venv", ".venv", "__pycache__",
        ".build", ".next",
        ".nuxt", "Pods", "site-packages", "dist-packages", ".gradle", ".idea", ".cache", "coverage",
        ".terraform",
    ]

    static let endings: Set<String> = [
        "js", "mjs", "cjs", "ts", "mts", "cts", "jsx", "tsx", "py", "rb", "ru", "go", "rs", "java", "kt",
        "kts", "php",
        "swift", "cs", "ex", "exs", "c", "cc", "cpp", "scala", "clj", "sh", "pl", "dart", "yml", "yaml",
        "toml",
        "properties", "ini", "conf",
    ]

    private static let names: Set<String> = ["package.json", "Procfile", "composer.json"]

    private static let tests: Set<String> = [
        "test", "tests", "spec", "specs", "__tests__", "__mocks__", "fixtures", "e2e", "example", "examples",
        "docs",
        "doc", "bench", "benchmarks", ".github", ".gitlab",
    ]

    /// What does not run in production.
    private static func isForTests(_ path: String) -> Bool {
        let parts = path.split(separator: "/").map(String.init)
        guard let name = parts.last else { return true }
        return parts.dropLast().contains(where: tests.contains) || name.contains(".test.")
            || name.contains(".spec.")
            || name.contains("_test.") || name.contains("_spec.") || name.hasPrefix("test_")
            || name == "conftest.py"
    }

    private static func name(_ path: String) -> String {
        path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
    }
}
