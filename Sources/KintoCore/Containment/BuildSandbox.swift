// SPDX-License-Identifier: Apache-2.0
internal import Wire

/// Builds without network, on a read-only system, with processes and temporary files of their own: bubblewrap (bwrap(1)).
public struct BuildSandbox: Sendable, Equatable {
    /// Path of `bwrap`.
    public let program: String
    /// kinto's own home, which a build does not even see.
    public let home: String

    public init(program: String, home: String) {
        self.program = program
        self.home = home
    }

    /// What else it does not see: people's homes, what is temporary. Empty, and its own to write to.
    private static let emptied = ["/root", "/home", "/tmp", "/var/tmp", "/run", "/dev/shm"]

    /// argv before the command.
    public func words(writable: [String], workingDirectory: String) -> [String] {
        var words = [
            program, "--unshare-user-try", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts",
            "--die-with-parent", "--cap-drop", "ALL", "--ro-bind", "/", "/", "--dev", "/dev", "--proc",
            "/proc",
        ]
        for directory in Self.emptied where Files.isDirectory(directory) { words += ["--tmpfs", directory] }
        // The directories on the way to those that may be written to are made in it.
        words += ["--tmpfs", home]
        for directory in writable { words += ["--bind", directory, directory] }
        return words + ["--remount-ro", home, "--chdir", workingDirectory, "--"]
    }
}
