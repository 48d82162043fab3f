// SPDX-License-Identifier: Apache-2.0

extension Rule {
    static let compilers: [Rule] = [
        Rule(
            code: "c-header-missing", .command,
            when: ["fatal error: {path}: No such file or directory", "fatal error: '{path}' file not found"],
            after: 2, says: "the compiler finds no header {path}",
            [.init("install the -dev package that has it, or commit it")]),
        Rule(
            code: "link-library-missing", .command,
            when: [
                "cannot find -l{word}", "unable to find library -l{word}", "library not found for -l{word}",
            ],
            says: "the linker finds no library '{word}'", [.init("install the -dev package that has it")]),
        Rule(
            code: "link-undefined", .command,
            when: ["undefined reference to `{text}'", "undefined symbol: {word}"],
            says: "the linker finds no definition of {text}{word}",
            [.init("add the library or the source file that has it")]),
        Rule(
            code: "linker-missing", .command,
            when: [
                "error: linker `{word}` not found", "cgo: C compiler \"{word}\" not found",
                "No CMAKE_C_COMPILER could be found", "no acceptable C compiler found",
                "command 'gcc' failed: No such file", "command 'x86_64-linux-gnu-gcc' failed: No such file",
            ],
            says: "there is no C compiler or linker on this host", [.init("install gcc and libc6-dev")]),
        Rule(
            code: "swift-module-missing", .command, when: ["error: no such module '{word}'"], after: 2,
            says: "Swift finds no module '{word}'",
            [
                .init(
                    "name the product in the dependencies of the target in Package.swift, or install the system library"
                )
            ]),
        Rule(
            code: "swift-tools-version", .command,
            when: ["is using Swift tools version {word} but the installed version is {word2}"],
            says: "the package wants Swift {word}, this host has {word2}",
            [.init("install the newer toolchain, or lower swift-tools-version")]),
        Rule(
            code: "swift-package", .command,
            when: [
                "error: Dependencies could not be resolved", "error: 'work': Invalid manifest",
                "Invalid manifest (compiled with", "error: manifest parse error",
                "error: Could not find Package.swift", "error: package '{word}' is required using",
            ],
            after: 3, says: "the Swift package cannot be resolved",
            [.init("swift package resolve, and commit Package.resolved")]),
        Rule(
            code: "rust-error", .command, when: ["^error[E{number}]: {text}"], after: 5,
            says: "the Rust code does not compile: {text}"),
        Rule(
            code: "rust-version", .command,
            when: [
                "requires rustc {word}", "cannot be built because it requires rustc",
                "is not supported by the following packages",
                "this version of Cargo is older than the `{word}` edition",
                "lock file version {number} requires",
            ],
            says: "a crate wants a newer Rust than this host has",
            [.init("update the toolchain, or pin an older version of the crate")]),
        Rule(
            code: "go-module-missing", .command,
            when: [
                "no required module provides package {word};", "package {word} is not in std",
                "cannot find package \"{word}\"",
            ],
            says: "Go finds no package {word}", [.init("add it and commit go.mod and go.sum", "go mod tidy")]),
        Rule(
            code: "go-sum", .command,
            when: [
                "missing go.sum entry", "updates to go.mod needed", "go.sum file indicates",
                "checksum mismatch",
            ],
            says: "go.mod and go.sum do not fit the code", [.init("mend them and commit both", "go mod tidy")]
        ),
        Rule(
            code: "go-version", .command,
            when: [
                "go.mod requires go >= {word}", "invalid go version '{word}'", "toolchain not available",
                "note: module requires Go {word}",
            ],
            says: "the module wants another version of Go than this host has",
            [.init("install it, or lower the go line in go.mod")]),
        Rule(
            code: "go-module-file", .command,
            when: ["go: go.mod file not found", "cannot find main module", "go: cannot find main module"],
            says: "there is no go.mod where go runs",
            [.init("commit it, or set root in kinto.json to where it is")]),
        Rule(
            code: "go-error", .command, when: ["{path}.go:{number}:{number2}: {text}"],
            says: "the Go code does not compile: {text}"),
        Rule(
            code: "ts-error", .command, when: ["error TS{number}: {text}"],
            says: "the TypeScript code does not compile: {text}"),
        Rule(
            code: "bundle-import", .command,
            when: [
                "Module not found: Error: Can't resolve '{text}'", "Module not found: Can't resolve '{text}'",
                "Could not resolve \"{text}\"", "Rollup failed to resolve import \"{text}\"",
                "Cannot find module '{text}' or its corresponding",
            ],
            after: 4, says: "the bundler finds no '{text}'",
            [
                .init(
                    "see whether it is in package.json, and of a file whether it is committed and its capitals are right"
                )
            ]),
        Rule(
            code: "java-error", .command,
            when: [
                "{path}.java:{number}: error: {text}", "{path}.java:[{number},{number2}] {text}",
                "^e: {text}.kt:{number}:",
            ], after: 2, says: "the Java code does not compile: {text}"),
        Rule(
            code: "compile-error", .command,
            when: [
                "{path}:{number}:{number2}: error: {text}", "{path}:{number}: error: {text}",
                "{path}:{number}:{number2}: fatal error: {text}",
            ], after: 2,
            says: "the code does not compile: {text}"),
        Rule(
            code: "cmake", .command, rank: .likely,
            when: [
                "CMake Error at {text}", "CMake Error: {text}", "Could NOT find {word}",
                "Package '{word}', required by", "No package '{word}' found", "configure: error: {text}",
            ],
            after: 4, says: "the build's configuration misses something",
            [.init("install the -dev package that it names")]),
        Rule(
            code: "tests-failed", .command, rank: .likely,
            when: [
                "Tests failed", "FAILED (failures={number}", "FAILED (errors={number}", "--- FAIL: {word}",
                "test result: FAILED", "There were failing tests", "Tests: {number} failed",
                "short test summary info",
            ],
            after: 3, says: "tests that the build runs failed"),
        // TAP, as node --test has it: the reason stands some lines below.
        Rule(
            code: "tests-failed", .command, rank: .likely, when: ["not ok {number} - {text}"],
            after: 9, says: "tests that the build runs failed, the first of them '{text}'"),
    ]
}
