// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Wire

/// What git tells a hook, as `Fields` (githooks(5)).
enum HookRequest {
    private static let inputLimit = 16 << 20

    static func read(pre: Bool) throws -> Fields {
        let input = try Descriptor(owning: check("dup") { dup(0) }).readAll(limit: inputLimit)
        var f = Fields()
        f.add("id", random())
        for line in input.split(separator: UInt8(ascii: "\n")) {
            f.add("update", String(decoding: line, as: UTF8.self))
        }
        let count = min(Int(variable("GIT_PUSH_OPTION_COUNT") ?? "0") ?? 0, 100)
        for index in 0..<max(0, count) { f.add("option", variable("GIT_PUSH_OPTION_\(index)") ?? "") }
        f.add("directory", workingDirectory())
        f.add("uid", getuid())
        if pre {
            if let path = variable("GIT_QUARANTINE_PATH") { f.add("quarantine", path) }
            if let path = variable("GIT_OBJECT_DIRECTORY") { f.add("objectDirectory", path) }
        }
        return f
    }

    /// 128 bits, hexadecimal: the same push told twice is recognised by it.
    private static func random() -> String {
        var generator = SystemRandomNumberGenerator()
        return String(generator.next(), radix: 16) + String(generator.next(), radix: 16)
    }

    private static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    private static func workingDirectory() -> String {
        guard let path = getcwd(nil, 0) else { return "" }
        defer { free(path) }
        return String(cString: path)
    }
}
