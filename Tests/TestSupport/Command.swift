// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Foundation
internal import Glibc
public import Wire

/// Programs that are run to their end, any number at the same time. Not with Foundation's `Process` and `Pipe`: a program that
/// another test starts in the same moment inherits such a pipe, and then what is read from it ends when both have ended.
public enum Command {
    public struct Result: Sendable {
        /// The exit code, or the number of the signal that ended it.
        public let status: Int32
        /// Standard output and error.
        public let output: String
    }

    /// - Parameters:
    ///   - path: absolute.
    ///   - environment: `NAME=value`, whole; nil: that of the tests.
    ///   - started: is told the pid, which is the program's own until this returns.
    @discardableResult
    public static func run(
        _ path: String, _ arguments: [String], in directory: String? = nil, environment: [String]? = nil,
        input: Descriptor? = nil, started: (Int32) -> Void = { _ in }
    ) async throws -> Result {
        let (pid, output) = try start(path, arguments, in: directory, environment, input)
        started(pid)
        return await onThread { end(pid, output) }
    }

    /// The same, on the caller's thread.
    @discardableResult
    public static func runHere(_ path: String, _ arguments: [String], in directory: String? = nil) throws
        -> Result
    {
        let (pid, output) = try start(path, arguments, in: directory, nil, nil)
        return end(pid, output)
    }

    private static func start(
        _ path: String, _ arguments: [String], in directory: String?, _ environment: [String]?,
        _ input: Descriptor?
    ) throws -> (pid: Int32, output: Descriptor) {
        var ends: [Int32] = [-1, -1]
        _ = try check("pipe") { kinto_pipe(&ends) }
        let (output, writing) = (Descriptor(owning: ends[0]), Descriptor(owning: ends[1]))
        let pid = try Spawn(
            path: path, arguments: [path] + arguments,
            environment: environment ?? ProcessInfo.processInfo.environment.map { "\($0)=\($1)" },
            workingDirectory: directory, standardInput: input, standardOutput: writing,
            standardError: writing
        ).start()
        return (pid, output)
    }

    private static func end(_ pid: Int32, _ output: Descriptor) -> Result {
        let bytes = (try? output.readAll()) ?? []
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        let signal = status & 0x7F
        return Result(
            status: signal == 0 ? (status >> 8) & 0xFF : signal,
            output: String(decoding: bytes, as: UTF8.self))
    }
}
