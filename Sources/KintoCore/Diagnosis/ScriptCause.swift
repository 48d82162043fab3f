// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import Wire

/// Looks at the script that a command names, when a shell says that it is not there or cannot be run: its first line may
/// say why.
struct ScriptCause {
    let code: String
    let words: String
    let hints: [Failure.Hint]

    /// - Parameter output: the last lines.
    static func of(_ command: String, in directory: String, exit: Int32?, output: [String]) -> ScriptCause? {
        guard exit == 127 || exit == 126 else { return nil }
        // The shell's line names it; else it is the command's first word.
        let named = output.suffix(5).compactMap { name(in: LogLineText(Array($0.utf8))) }
        let words = command.split(separator: " ").map(String.init)
        for name in named + words.prefix(1) {
            guard let path = relative(name, directory), let found = look(path, in: directory) else {
                continue
            }
            return found
        }
        return nil
    }

    private static let shells = [
        LogPattern("sh: {number}: {word}: not found"), LogPattern("sh: {number}: {word}: Permission denied"),
        LogPattern("{word}: line {number}: {word2}: "),
        LogPattern("sh: 1: exec: {word}: "), LogPattern("sh: {number}: exec: {word}: "),
    ]

    private static func name(in line: LogLineText) -> String? {
        shells.lazy.compactMap { $0.match(line) }.first.flatMap { $0["word2"] ?? $0["word"] }
    }

    /// As a path in the directory that is fit for a command.
    private static func relative(_ name: String, _ directory: String) -> String? {
        var path = name[...]
        if path.hasPrefix("./") { path = path.dropFirst(2) }
        if path.hasPrefix(directory + "/") { path = path.dropFirst(directory.count + 1) }
        // What has no slash is looked for in PATH, not here.
        guard name.contains("/"), let file = Hole("file").value(Array(path.utf8)[...]) else { return nil }
        return file
    }

    private static func look(_ path: String, in directory: String) -> ScriptCause? {
        guard let beneath = try? Beneath(directory) else { return nil }
        let raw = kinto_open_beneath(beneath.directory.raw, path, O_RDONLY | O_NONBLOCK)
        guard raw >= 0 else { return nil }
        let file = Descriptor(owning: raw)
        var status = stat()
        guard fstat(file.raw, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        guard status.st_mode & 0o111 != 0 else {
            return ScriptCause(
                code: "not-executable", words: "\(path) is not executable",
                hints: [
                    .init("set its executable bit and commit", command: "git update-index --chmod=+x \(path)")
                ])
        }
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = pread(file.raw, &buffer, buffer.count, 0)
        guard count > 0 else { return nil }
        let first = buffer[..<count].prefix { $0 != 0x0A }
        guard first.starts(with: "#!".utf8) else {
            guard first.starts(with: [0x7F, 0x45, 0x4C, 0x46]) else { return nil }
            return ScriptCause(
                code: "wrong-architecture",
                words:
                    "\(path) is a program for another kind of machine, or its loader is not on this host",
                hints: [.init("build it for this host")])
        }
        let interpreter =
            TerminalFilter.plain(String(decoding: first.dropFirst(2), as: UTF8.self))
            .split(separator: " ").first.map(String.init) ?? ""
        if first.last == 0x0D {
            return ScriptCause(
                code: "script-crlf",
                words:
                    "\(path) has line ends of Windows (CR LF): its first line asks for a program whose name ends in a carriage return",
                hints: [
                    .init("have git keep LF: add the line '* text=auto eol=lf' to .gitattributes, then"),
                    .init("take the file over with LF and commit", command: "git add --renormalize ."),
                ])
        }
        guard !interpreter.isEmpty, !Files.exists(interpreter) else { return nil }
        return ScriptCause(
            code: "interpreter-missing",
            words: "\(path) asks for the interpreter \(interpreter), which is not on this host",
            hints: [.init("install it, or correct the first line of \(path)")])
    }
}
