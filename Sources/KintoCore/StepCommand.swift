// SPDX-License-Identifier: Apache-2.0

/// The command of a step, as the words that it is made of. The server may be another machine's: only commands that its
/// steps have are run, with plain words, and never by a shell.
public struct StepCommand: Sendable {
    public let words: [String]

    /// Of other programs: all that the server's rules name, word for word, and at most a path after some of them. A server
    /// that is not what it was cannot have an option of git or a package of a stranger run here.
    private static let others: Set<String> = [
        "git add --renormalize .", "npm install --package-lock-only", "bundle lock",
        "bundle lock --add-platform x86_64-linux", "cargo generate-lockfile", "composer update --lock",
        "go mod tidy", "df -h",
    ]
    private static let withPath: Set<String> = ["git update-index --chmod=+x", "df -h", "git push kinto"]
    /// Of kinto: what looks, and what deploys.
    private static let ownCommands: Set<String> = [
        "why", "logs", "releases", "status", "deploy", "rollback", "doctor", "prune", "config", "check",
        "service",
    ]

    /// nil: it is no such command, or one with something left open.
    public init?(_ text: String) {
        let words = text.split(separator: " ").map(String.init)
        guard words.count > 1, words.allSatisfy({ $0.utf8.allSatisfy(StepCommand.isPlain) }),
            !words.contains(where: StepCommand.isOpen),
            words[0] == "kinto" ? StepCommand.ownCommands.contains(words[1]) : StepCommand.isKnown(words)
        else { return nil }
        self.words = words
    }

    private static func isKnown(_ words: [String]) -> Bool {
        others.contains(words.joined(separator: " "))
            || withPath.contains(words.dropLast().joined(separator: " ")) && words.last?.first != "-"
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
}
