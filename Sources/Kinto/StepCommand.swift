// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Glibc

/// The command of a step, as the words that it is made of. The server may be another machine's: only programs that its
/// steps use are run, with plain words, and never by a shell.
struct StepCommand {
    let words: [String]

    private static let programs: Set<String> = [
        "kinto", "git", "npm", "bundle", "cargo", "composer", "go", "df",
    ]
    /// Of kinto: what looks, and what deploys.
    private static let ownCommands: Set<String> = [
        "why", "logs", "releases", "status", "deploy", "rollback", "doctor", "prune", "config", "check",
        "service",
    ]

    /// nil: it is no such command, or one with something left open.
    init?(_ text: String) {
        let words = text.split(separator: " ").map(String.init)
        guard let program = words.first, StepCommand.programs.contains(program), words.count > 1,
            words.allSatisfy({ $0.utf8.allSatisfy(StepCommand.isPlain) }),
            !words.contains(where: StepCommand.isOpen),
            program != "kinto" || StepCommand.ownCommands.contains(words[1])
        else { return nil }
        self.words = words
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "-_./:=+@,".utf8.contains(byte)
        }
    }

    /// `SIZE`, `FILE`: somebody has to write something there.
    private static func isOpen(_ word: String) -> Bool {
        word.count > 1 && word.allSatisfy { $0.isUppercase }
    }

    /// This process becomes it; a kinto command asks the same server.
    func become(_ options: GlobalOptions) throws {
        var words = words
        var path = words[0]
        if path == "kinto" {
            path = "/proc/self/exe"
            if let home = options.home { words += ["--home", home] }
            if options.env != "production" { words += ["--env", options.env] }
        }
        var arguments = words.map { strdup($0) }
        arguments.append(nil)
        execvp(path, arguments)
        Output.trouble("\(words[0]) cannot be run: \(String(cString: strerror(errno)))")
        throw ExitCode(127)
    }
}
