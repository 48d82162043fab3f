// SPDX-License-Identifier: Apache-2.0

/// Builds without network, on a read-only system, with processes and temporary files of their own: bubblewrap (bwrap(1)).
public struct BuildSandbox: Sendable, Equatable {
    /// Path of `bwrap`.
    public let program: String
    /// What a build does not even see: kinto's home.
    public let hidden: [String]

    public init(program: String, hidden: [String]) {
        self.program = program
        self.hidden = hidden
    }

    /// argv before the command.
    public func words(writable: [String], workingDirectory: String) -> [String] {
        var words = [
            program, "--unshare-user-try", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts",
            "--die-with-parent", "--cap-drop", "ALL", "--ro-bind", "/", "/", "--dev", "/dev", "--proc",
            "/proc",
            "--tmpfs", "/tmp", "--tmpfs", "/var/tmp", "--tmpfs", "/run", "--tmpfs", "/dev/shm",
        ]
        for directory in hidden { words += ["--tmpfs", directory] }
        for directory in writable { words += ["--bind", directory, directory] }
        // The directories on the way there are made in the empty ones above.
        for directory in hidden { words += ["--remount-ro", directory] }
        return words + ["--chdir", workingDirectory, "--"]
    }
}
