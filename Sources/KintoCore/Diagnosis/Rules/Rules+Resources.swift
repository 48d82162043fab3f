// SPDX-License-Identifier: Apache-2.0

extension Rule {
    /// The machine: room, memory, files, rights.
    static let resources: [Rule] = [
        Rule(
            code: "watches-exhausted", rank: .world,
            when: ["System limit for number of file watchers reached", "inotify_add_watch: no space left"],
            says: "the host has no more inotify watches to give",
            [
                .init("do not watch files in production, or raise fs.inotify.max_user_watches")
            ]),
        Rule(
            code: "out-of-space", rank: .world,
            when: ["No space left on device", "ENOSPC", "Disk quota exceeded", "disk is full"],
            says: "there is no room left on the disk",
            [
                .init("see what kinto can give back", "kinto prune --dry-run"),
                .init("see which file system is full", "df -h"),
            ]),
        Rule(
            code: "node-heap", rank: .world, when: ["JavaScript heap out of memory"],
            says: "Node.js used all of the heap that it gives itself",
            [
                .init("set NODE_OPTIONS=--max-old-space-size=MEGABYTES, within what the build may use")
            ]),
        Rule(
            code: "out-of-memory", rank: .world,
            when: [
                "Cannot allocate memory", "^MemoryError", "java.lang.OutOfMemoryError", "std::bad_alloc",
                "virtual memory exhausted", "memory allocation of {number} bytes failed",
                "Allowed memory size of {number} bytes exhausted", "fatal error: Killed signal terminated",
                "internal compiler error: Killed", "runtime: out of memory", "signal: killed",
                "NoMemoryError",
            ],
            says: "memory ran out",
            [
                .init("have it use less at once (fewer jobs side by side), or raise build.memory")
            ]),
        Rule(
            code: "too-many-open-files", rank: .world, when: ["Too many open files", "EMFILE"],
            says: "more files are open than a process may have",
            [
                .init("close what is not used, or raise LimitNOFILE of the server's unit")
            ]),
        Rule(
            code: "read-only-files", rank: .cause,
            when: ["Read-only file system", "EROFS", "attempt to write a readonly database"],
            says: "it writes where nothing may be written",
            [
                .init(
                    "write below a directory of your own, named by a variable (kinto config), not into the release"
                )
            ]),
        Rule(
            code: "permission-denied", rank: .likely,
            when: [
                "PermissionError: [Errno 13] Permission denied: '{text}'",
                "EACCES: permission denied, {text}", "open {path}: permission denied",
                "Permission denied @ rb_sysopen - {path}",
                "cannot create directory '{path}': Permission denied",
                "cannot open {path}: Permission denied",
            ],
            says: "the user that it runs as may not use a file or directory",
            [
                .init("see which user that is", "kinto doctor")
            ]),
        Rule(
            code: "wrong-architecture",
            when: ["Exec format error", "wrong ELF class", "cannot execute binary file"],
            says: "a program is made for another kind of machine", [.init("build it for this host")]),
        Rule(
            code: "library-missing",
            when: [
                "error while loading shared libraries: {word}:",
                "ImportError: {word}: cannot open shared object file",
                "version `{word}' not found (required by",
            ],
            says: "the shared library {word} is not on this host, or too old",
            [.init("install it, or build on this host")]),
    ]
}
