// SPDX-License-Identifier: Apache-2.0

extension Rule {
    /// Shells, make, scripts.
    static let commands: [Rule] = [
        Rule(
            code: "script-crlf",
            when: [
                "{word}^M: bad interpreter", "\\r': No such file or directory", "$'\\r': command not found",
                "\\r’: No such file",
            ],
            says: "a script has line ends of Windows (CR LF)",
            [
                .init("have git keep LF: add the line '* text=auto eol=lf' to .gitattributes, then"),
                .init("take the files over with LF and commit", "git add --renormalize ."),
            ]),
        Rule(
            code: "interpreter-missing",
            when: ["bad interpreter: No such file", "cannot execute: required file not found"],
            says: "the interpreter that a script's first line names is not on this host",
            [.init("install it, or correct the script's first line")]),
        Rule(
            code: "command-missing",
            when: [
                "sh: {number}: {word}: not found", "{path}: {number}: {word}: not found",
                "sh: line {number}: {word}: command not found", "{word2}: {word}: command not found",
                "{path}: line {number}: {word}: command not found",
                "env: '{word}': No such file or directory", "env: ‘{word}’: No such file or directory",
                "make: {word}: No such file or directory", "make: {word}: Permission denied",
                "sh: {number}: exec: {word}: not found",
                "exec: \"{word}\": executable file not found", "spawn {word} ENOENT",
            ],
            says: "the program '{word}' is not on this host, or not in the PATH of builds and services",
            [
                .init("install it on this host, or correct the command")
            ]),
        Rule(
            code: "not-executable", exits: [126],
            when: [
                "sh: {number}: {file}: Permission denied", "{path}: line {number}: {file}: Permission denied",
            ],
            says: "{file} is not executable",
            [
                .init("set its executable bit and commit", "git update-index --chmod=+x {file}")
            ]),
        Rule(
            code: "shell-syntax",
            when: [
                "sh: {number}: Syntax error: {text}", "syntax error near unexpected token {text}",
                "{path}: {number}: Syntax error: {text}",
            ],
            says: "the shell cannot read the command: {text}",
            [
                .init(
                    "commands run with sh, which knows no arrays and no [[: write bash -c '…' if you need them"
                )
            ]),
        Rule(
            code: "shell-option",
            when: [
                "sh: {number}: set: Illegal option {text}", "sh: {number}: source: not found",
                "sh: {number}: [[: not found",
            ],
            says: "the command is written for bash, and sh runs it",
            [.init("write it for sh, or as bash -c '…'")]),
        Rule(
            code: "make-rule-missing",
            when: ["No rule to make target '{text}", "No rule to make target `{text}"],
            says: "make knows no way to make '{text}",
            [.init("see whether the file is committed, and its name's capitals are right")]),
        Rule(
            code: "makefile-missing",
            when: ["No targets specified and no makefile found"],
            says: "there is no Makefile where make runs",
            [.init("commit it, or set root in kinto.json to where it is")]),
        Rule(
            code: "makefile-syntax", when: ["*** missing separator"],
            says: "a line of the Makefile begins with spaces, where a tab has to be",
            [.init("indent the lines of recipes with tabs")]),
        Rule(
            code: "file-missing", .command, rank: .likely,
            when: [
                "cp: cannot stat '{text}'", "mv: cannot stat '{text}'",
                "cat: {path}: No such file or directory",
                "cd: can't cd to {path}", "cd: {path}: No such file or directory",
                "sh: {number}: cannot open {path}: No such file",
                "sh: {number}: .: {path}: not found",
            ],
            says: "a file or directory that the command uses is not there",
            [.init("see whether it is committed (git ls-files), and not left out by .gitignore")]),
        Rule(
            code: "tool-failed", rank: .summary,
            when: [
                "make: *** [{text}] Error {number}", "npm error code {word}", "npm ERR! code {word}",
                "error Command failed with exit code {number}",
                "ELIFECYCLE", "error: could not compile `{word}`", "BUILD FAILURE", "BUILD FAILED",
                "FAILED: {text}",
                "Failed to compile", "Build failed", "rake aborted!", "rails aborted!", "bin/rails aborted!",
            ],
            says:
                "a tool that the command uses failed; kinto does not know its words, the lines below look most like the cause"
        ),
    ]
}
