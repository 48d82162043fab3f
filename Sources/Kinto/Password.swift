// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import Glibc
internal import KintoCore

/// A password from a person, twice and unseen, or from a program by standard input.
enum Password {
    static func read(for name: String) throws -> String {
        guard isatty(0) == 1 else {
            guard let line = readLine(strippingNewline: true), !line.isEmpty else {
                throw ValidationError("no password came from standard input")
            }
            return line
        }
        let first = try ask("Password of \(Output.safe(name)): ")
        guard try ask("Once more: ") == first else { throw ValidationError("these were not the same") }
        return first
    }

    /// Echo is back also after Ctrl-C.
    private static func ask(_ prompt: String) throws -> String {
        var settings = termios()
        guard tcgetattr(0, &settings) == 0 else { throw ValidationError("the terminal cannot be asked") }
        var before = settings
        settings.c_lflag &= ~tcflag_t(ECHO)
        // Ctrl-C comes as a byte that ends the line: the process does not end without setting the terminal back.
        settings.c_lflag &= ~tcflag_t(ISIG)
        settings.c_cc.11 = interrupt  // VEOL
        tcsetattr(0, TCSAFLUSH, &settings)
        defer { tcsetattr(0, TCSAFLUSH, &before) }
        Output.error(prompt)
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(0, &buffer, buffer.count)
        Output.error("\n")
        let line = buffer.prefix(max(0, count))
        guard let last = line.last, last != interrupt else { throw ExitCode(130) }
        return String(decoding: line.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }

    /// Ctrl-C.
    private static let interrupt: UInt8 = 3
}
