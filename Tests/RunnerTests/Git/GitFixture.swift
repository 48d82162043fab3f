// SPDX-License-Identifier: Apache-2.0
import Glibc
import KintoCore
import Testing
import Wire

/// A directory of a test's own, and real programs run in it. Removed when the last reference goes.
final class GitFixture: Sendable {
    let root: String

    init(in parent: String = "/tmp") throws {
        var template = Array("\(parent)/kinto-test-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        root = template.withUnsafeBufferPointer { buffer in
            String(decoding: buffer.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }

    deinit { try? Files.removeTree(root) }

    struct Outcome: Sendable {
        let status: Int32
        let output: String
        let error: String
    }

    /// Runs a program to its end, its input from a file, and gives what it wrote.
    @discardableResult
    func run(
        _ arguments: [String], in directory: String? = nil, input: [UInt8] = [], environment: [String] = []
    ) throws -> Outcome {
        let names = ["in", "out", "err"].map { "\(root)/.\($0)-\(UInt64.random(in: 0 ... .max))" }
        defer { for name in names { unlink(name) } }
        try Files.replace(names[0], with: input, durable: false)
        let pid = try Spawn(
            path: "/usr/bin/env", arguments: ["env"] + arguments,
            environment: [
                "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME=\(root)",
                "GIT_CONFIG_GLOBAL=/dev/null",
                "GIT_CONFIG_SYSTEM=/dev/null", "GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.org",
                "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.org",
                "GIT_AUTHOR_DATE=1700000000 +0000", "GIT_COMMITTER_DATE=1700000000 +0000",
            ] + environment,
            workingDirectory: directory ?? root, standardInput: try .open(names[0], O_RDONLY),
            standardOutput: try .open(names[1], O_WRONLY | O_CREAT),
            standardError: try .open(names[2], O_WRONLY | O_CREAT)
        ).start()
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        return Outcome(
            status: status, output: String(decoding: try Files.read(names[1]), as: UTF8.self),
            error: String(decoding: try Files.read(names[2]), as: UTF8.self))
    }

    /// Runs git, which must succeed, and gives its output without the last line break.
    @discardableResult
    func git(_ arguments: String..., in directory: String? = nil, input: [UInt8] = []) throws -> String {
        let outcome = try run(["git"] + arguments, in: directory, input: input)
        try #require(outcome.status == 0, "git \(arguments): \(outcome.error)")
        return outcome.output.hasSuffix("\n") ? String(outcome.output.dropLast()) : outcome.output
    }

    func write(_ path: String, _ text: String, mode: mode_t = 0o644) throws {
        let full = "\(root)/\(path)"
        try Files.makeDirectories(Files.parent(of: full), mode: 0o755)
        try Files.replace(full, with: Array(text.utf8), mode: mode, durable: false)
        chmod(full, mode)
    }

    func read(_ path: String) throws -> String {
        String(decoding: try Files.read("\(root)/\(path)"), as: UTF8.self)
    }

    /// A repository with a work tree at `work`, and one commit of `README`.
    @discardableResult
    func makeRepository() throws -> CommitID {
        try git("init", "-q", "-b", "main", "work")
        try write("work/README", "hello\n")
        return try commitAll("First commit")
    }

    @discardableResult
    func commitAll(_ message: String) throws -> CommitID {
        try git("add", "-A", in: "\(root)/work")
        try git("commit", "-q", "--allow-empty", "-m", message, in: "\(root)/work")
        return try head()
    }

    /// Commits an entry for a submodule, which has no files.
    func commitSubmodule(_ path: String, at commit: CommitID) throws -> CommitID {
        try git("update-index", "--add", "--cacheinfo", "160000,\(commit),\(path)", in: work)
        try git("commit", "-q", "-m", "Submodule", in: work)
        return try head()
    }

    func head(_ name: String = "HEAD") throws -> CommitID {
        try #require(CommitID(try git("rev-parse", name, in: "\(root)/work")))
    }

    var work: String { "\(root)/work" }

    func blob(_ text: String) throws -> String {
        try git("hash-object", "-w", "--stdin", in: work, input: Array(text.utf8))
    }

    /// A commit of a tree that is written byte by byte, which git itself would not make.
    func commit(entries: [(mode: String, name: [UInt8], id: String)]) throws -> CommitID {
        try #require(CommitID(try git("commit-tree", try tree(entries), "-m", "made", in: work)))
    }

    func tree(_ entries: [(mode: String, name: [UInt8], id: String)]) throws -> String {
        var bytes: [UInt8] = []
        for entry in entries {
            bytes += Array("\(entry.mode) ".utf8) + entry.name + [0]
            var rest = Array(entry.id.utf8)[...]
            while rest.count >= 2 {
                bytes.append(try #require(UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)))
                rest = rest.dropFirst(2)
            }
        }
        return try git("hash-object", "-t", "tree", "--literally", "-w", "--stdin", in: work, input: bytes)
    }
}

/// The code of the failure that `body` throws.
func failureCode(_ body: () throws -> Void) -> String? {
    do { try body() } catch { return (error as? Failure)?.code ?? "\(error)" }
    return nil
}

/// The same for asynchronous work.
func failure(_ body: () async throws -> Void) async -> Failure? {
    do { try await body() } catch {
        return error as? Failure ?? Failure(code: "\(type(of: error))", "\(error)")
    }
    return nil
}
