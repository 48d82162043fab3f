// SPDX-License-Identifier: Apache-2.0

extension Rule {
    /// What interpreters and runtimes say.
    static let languages: [Rule] = [
        Rule(
            code: "python-module-missing",
            when: [
                "ModuleNotFoundError: No module named '{word}'", "python3: No module named {word}",
                "python: No module named {word}", "ImportError: No module named {word}",
            ],
            says: "Python finds no module '{word}'",
            [
                .init(
                    "add it to what the build installs (requirements.txt), and start with the interpreter that it was installed for, as .venv/bin/python"
                )
            ]),
        Rule(
            code: "python-import", when: ["ImportError: cannot import name {text}"],
            says: "Python cannot import {text}",
            [.init("pin the version of the package that has it")]),
        Rule(
            code: "python-file-missing", when: ["can't open file '{text}': [Errno 2]"],
            says: "Python is to run {text}, which is not in the release",
            [.init("see whether it is committed, or made by the build, and correct the command")]),
        Rule(
            code: "python-app-missing",
            when: [
                "Error loading ASGI app. {text}", "Failed to find attribute '{word}' in '{word2}'",
                "Could not import module \"{word}\"", "Error: Could not locate a Flask application",
                "Error: Failed to find Flask application",
            ],
            says: "the server program does not find the application that it is to run",
            [.init("name it as MODULE:ATTRIBUTE, with the directory that it is in")]),
        Rule(
            code: "node-module-kind",
            when: [
                "Cannot use import statement outside a module", "require is not defined in ES module scope",
                "ERR_REQUIRE_ESM", "exports is not defined in ES module scope", "ERR_UNKNOWN_FILE_EXTENSION",
            ],
            says: "Node.js runs a file as the other kind of module than it is written as",
            [.init("set \"type\" in package.json, or name the file .mjs or .cjs")]),
        Rule(
            code: "node-module-missing",
            when: [
                "Error: Cannot find module '{text}'",
                "Error [ERR_MODULE_NOT_FOUND]: Cannot find package '{text}'",
                "Error [ERR_MODULE_NOT_FOUND]: Cannot find module '{text}'",
            ],
            says: "Node.js finds no module '{text}'",
            [
                .init(
                    "see whether it is in dependencies (not only devDependencies) of package.json and the build installs them; of a file whether it is committed, and its capitals are right"
                )
            ]),
        Rule(
            code: "node-openssl",
            when: ["ERR_OSSL_EVP_UNSUPPORTED", "error:0308010C:digital envelope routines::unsupported"],
            says: "an old bundler wants a hash that OpenSSL 3 does not give",
            [.init("update it, or set NODE_OPTIONS=--openssl-legacy-provider in build.env")]),
        Rule(
            code: "node-version",
            when: [
                "The engine \"node\" is incompatible", "Unsupported engine", "npm error notsup",
                "ERR_PNPM_UNSUPPORTED_ENGINE",
            ],
            says: "a package wants another version of Node.js than this host has",
            [.init("install that version, or change engines in package.json")]),
        Rule(
            code: "ruby-file-missing", when: ["cannot load such file -- {word}"],
            says: "Ruby cannot load '{word}'",
            [
                .init(
                    "add the gem to the Gemfile and start with bundle exec, or see whether the file is committed"
                )
            ]),
        Rule(
            code: "perl-module-missing", when: ["Can't locate {path}.pm in @INC"],
            says: "Perl finds no module {path}.pm",
            [.init("install its Debian package (lib…-perl), or with cpanm as part of the build")]),
        Rule(
            code: "node-rejection", when: ["The promise rejected with the reason {text}"],
            says: "a promise was rejected and nobody looked: {text}",
            [.init("reject with an Error, which has its place, and await or catch it")]),
        Rule(
            code: "ruby-syntax",
            when: [
                "{path}:{number}: syntax error", "{path}:{number}: syntax errors found", "^SyntaxError (",
            ], after: 3, says: "the Ruby program has a syntax error"),
        Rule(
            code: "go-nil", when: ["panic: runtime error: {text}"], says: "the Go program panicked: {text}"),
        Rule(
            code: "go-panic", when: ["^panic: {text}"], says: "the Go program panicked: {text}"),
        Rule(
            code: "rust-panic", when: ["panicked at {path}:{number}:{number2}:"], after: 1,
            says: "the Rust program panicked at {path}:{number}"),
        Rule(
            code: "swift-trap", when: ["{path}.swift:{number}: Fatal error: {text}"],
            says: "the Swift program stopped: {text} ({path}.swift:{number})"),
        Rule(
            code: "swift-trap", when: ["^Fatal error: {text}", "Fatal error: {text}: file {path}"],
            says: "the Swift program stopped: {text}"),
        Rule(
            code: "java-main-missing",
            when: [
                "Could not find or load main class {word}", "no main manifest attribute, in {path}",
                "Main method not found in class {word}",
            ],
            says: "Java finds no main class",
            [.init("correct the class or the jar in 'start', or the Main-Class of its manifest")]),
        Rule(
            code: "java-jar-missing", when: ["Unable to access jarfile {path}"],
            says: "there is no jar {path} in the release",
            [.init("see what the build calls it, and that build.output contains it")]),
        Rule(
            code: "java-version",
            when: [
                "has been compiled by a more recent version of the Java Runtime",
                "Unsupported class file major version", "error: release version {number} not supported",
                "invalid target release: {number}", "invalid source release: {number}",
            ],
            says: "the code is made for another version of Java than this host has",
            [.init("build and run with the same version")]),
        Rule(
            code: "php-file-missing",
            when: [
                "Failed opening required '{text}'", "Failed to open stream: No such file or directory",
                "Could not open input file: {path}",
            ],
            says: "PHP does not find a file that it is to run or to include",
            [.init("have the build run composer install; see whether the file is committed")]),
        Rule(
            code: "php-class-missing",
            when: ["Uncaught Error: Class \"{text}\" not found", "Call to undefined function {word}"],
            says: "PHP has not a class or function that the code uses",
            [.init("have the build run composer install, or install the PHP extension that it belongs to")]),
        Rule(
            code: "php-syntax",
            when: ["Parse error: {text} in {path} on line {number}", "PHP Parse error: {text}"],
            says: "the PHP program has a syntax error: {text}"),
        Rule(
            code: "php-error",
            when: [
                "Fatal error: Uncaught {text}", "PHP Fatal error:  Uncaught {text}",
                "PHP Fatal error: {text}", "Fatal error: {text} in {path} on line {number}",
            ], after: 2,
            says: "PHP stopped: {text}"),
        Rule(
            code: "syntax-error",
            when: ["^SyntaxError: {text}", "^IndentationError: {text}", "^TabError: {text}"],
            says: "the program has a syntax error, or is made for a newer version: {text}",
            [.init("correct it; of what is new in the language, see which version is on this host")]),
    ]
}
