// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import Glibc

/// A name that is typed before something is removed.
enum Confirmation {
    /// - Throws: what the parser makes an exit with code 2 where nobody can type; exit code 3 for another text.
    static func ask(for name: String, _ consequence: String) throws {
        guard isatty(0) == 1 else { throw ValidationError("\(consequence): add --yes") }
        Output.error("\(consequence).\nType \(name) to go on: ")
        guard readLine() == name else {
            Output.trouble("that is not \(name): nothing is removed")
            throw ExitCode(3)
        }
    }
}
