// SPDX-License-Identifier: Apache-2.0
import Glibc
import TestSupport
import Wire

/// `kinto-runtime hook` as git runs it, with its input in a file: it may leave before it has read all.
struct HookProcess {
    let pid: Int32
    private let output: Descriptor

    init(_ kind: String, input: [UInt8], home: String, environment: [String: String] = [:]) throws {
        try self.init(
            arguments: [kind, "--home", home, "--service", "hello"], input: input, environment: environment)
    }

    init(arguments: [String], input: [UInt8], environment: [String: String] = [:]) throws {
        let path = "/tmp/kinto-hook-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        defer { for end in ["in", "out"] { unlink("\(path).\(end)") } }
        try Files.replace("\(path).in", with: input, durable: false)
        output = try Descriptor.open("\(path).out", O_RDWR | O_CREAT | O_APPEND)
        pid = try Spawn(
            path: Products.directory() + "/kinto-runtime", arguments: ["kinto-runtime", "hook"] + arguments,
            environment: ["KINTO_HOOK_PATIENCE": "120"].merging(environment) { $1 }.map { "\($0)=\($1)" },
            standardInput: Descriptor.open("\(path).in", O_RDONLY), standardOutput: output,
            standardError: output
        ).start()
    }

    /// What it printed so far.
    func printed() throws -> String {
        lseek(output.raw, 0, SEEK_SET)
        return String(decoding: try output.readAll(), as: UTF8.self)
    }

    /// Its wait status, 0 when all is well, and all that it printed.
    func ended() async throws -> (status: Int32, output: String) {
        var status: Int32 = 0
        do {
            try await until("the hook's end") { waitpid(pid, &status, WNOHANG) == pid }
        } catch {
            kill(pid, SIGKILL)
            waitpid(pid, &status, 0)
            throw error
        }
        return (status, try printed())
    }
}
