// SPDX-License-Identifier: Apache-2.0

/// What a command needs to be there, as far as that can be told from its words for sure; a shell may do anything else.
public enum StartCommand {
    public enum Need: Sendable, Equatable {
        /// A program, by its path: absolute, or from the directory that it runs in.
        case program(String)
        /// A program that is looked for in PATH.
        case command(String)
        /// A file that an interpreter is given.
        case script(String, interpreter: String)
        /// An entry of `scripts` in package.json.
        case packageScript(String, tool: String)
    }

    /// What the shell itself does, and what changes where the rest is looked for.
    private static let shellWords: Set<String> = [
        "!", ".", ":", "[", "[[", "alias", "bg", "bind", "break", "builtin", "caller", "case", "cd", "chdir",
        "command",
        "continue", "coproc", "declare", "dirs", "disown", "echo", "enable", "eval", "exit", "export",
        "false", "fc",
        "fg", "for", "function", "getopts", "hash", "help", "history", "if", "jobs", "kill", "let", "local",
        "logout",
        "mapfile", "popd", "printf", "pushd", "pwd", "read", "readarray", "readonly", "return", "select",
        "set", "shift",
        "shopt", "source", "suspend", "test", "time", "times", "trap", "true", "type", "typeset", "ulimit",
        "umask",
        "unalias", "unset", "until", "wait", "while", "{",
    ]

    private static let interpreters: Set<String> = [
        "node", "nodejs", "python", "python3", "ruby", "perl", "php", "bash", "sh", "bun", "tsx", "ts-node",
    ]

    /// Empty when nothing is sure.
    public static func needs(_ command: String) -> [Need] {
        // What is tried first has to be there only if all is joined by &&.
        let parts = command.split(separator: "&&", omittingEmptySubsequences: false)
        guard let first = parts.first, !command.contains(where: { ";|<>()`\n".contains($0) }),
            !parts.contains(where: { $0.contains("&") })
        else { return [] }
        var words = first.split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
        while let word = words.first, word == "exec" || word == "env" || isAssignment(word) {
            guard isPlain(word), !word.hasPrefix("PATH="),
                word != "env" || words.dropFirst().first?.hasPrefix("-") != true
            else { return [] }
            words.removeFirst()
        }
        guard let program = words.first, isPlain(program), !shellWords.contains(program),
            !program.hasPrefix("-")
        else { return [] }
        let own: Need = program.contains("/") ? .program(program) : .command(program)
        return [own] + (argument(of: program, Array(words.dropFirst())).map { [$0] } ?? [])
    }

    private static func argument(of program: String, _ words: [String]) -> Need? {
        let name = program.split(separator: "/").last.map(String.init) ?? program
        if ["npm", "yarn", "pnpm"].contains(name) {
            let words = words.filter { !$0.hasPrefix("-") }
            switch (words.first, words.dropFirst().first) {
            case ("run"?, let script?) where isPlain(script): return .packageScript(script, tool: name)
            case ("start"?, _): return .packageScript("start", tool: name)
            default: return nil
            }
        }
        // An option may take the next word.
        guard interpreters.contains(name) || isVersioned(name), let file = words.first, isPlain(file),
            !file.hasPrefix("-"), !(name == "bun" && file == "run"), file.contains(".") || file.contains("/")
        else { return nil }
        return .script(file, interpreter: name)
    }

    /// `python3.11`
    private static func isVersioned(_ name: String) -> Bool {
        name.hasPrefix("python3.") && name.dropFirst(8).allSatisfy(\.isNumber)
    }

    private static func isAssignment(_ word: String) -> Bool {
        guard let equals = word.firstIndex(of: "="), equals != word.startIndex else { return false }
        return word[..<equals].allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
    }

    /// Means itself to a shell.
    private static func isPlain(_ word: String) -> Bool {
        !word.contains { "'\"$\\*?~{}[]#!".contains($0) }
    }

    /// Whether the build may make a file that the repository does not have. One that does nothing but install packages makes
    /// files only where those go.
    static func mayMake(_ path: String, build: String?, package: [UInt8]?) -> Bool {
        guard let build else { return false }
        let first = path.split(separator: "/").first { $0 != "." }.map(String.init) ?? path
        if ["node_modules", "vendor", "venv", ".venv", "bin"].contains(first) { return true }
        // Scripts that an installer runs.
        let text = String(decoding: package ?? [], as: UTF8.self)
        if ["\"preinstall\"", "\"install\"", "\"postinstall\"", "\"prepare\""].contains(where: text.contains)
        {
            return true
        }
        let commands = build.split(whereSeparator: { "&;\n".contains($0) }).map { part in
            part.split(separator: " ").map(String.init).filter { !$0.hasPrefix("-") }
        }
        return !commands.allSatisfy { words in
            words.isEmpty || words == ["true"] || words == ["yarn"] || words.first == "echo"
                || installers.contains { words.starts(with: $0) }
        }
    }

    private static let installers: [[String]] = [
        ["npm", "ci"], ["npm", "install"], ["npm", "i"], ["yarn", "install"], ["pnpm", "install"],
        ["pnpm", "i"],
        ["pip", "install"], ["pip3", "install"], ["python3", "pip", "install"], ["bundle", "install"],
        ["composer", "install"], ["poetry", "install"], ["uv", "sync"],
    ]
}
