// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Glibc
internal import KintoCore

extension StepCommand {
    /// This process becomes it; a kinto command asks the same server.
    func become(_ options: GlobalOptions) throws {
        var words = words
        var path = words[0]
        if path == "kinto" {
            path = "/proc/self/exe"
            if let home = options.home { words += ["--home", home] }
            if options.env != "production" { words += ["--env", options.env] }
        }
        var arguments = words.map { strdup($0) }
        arguments.append(nil)
        execvp(path, arguments)
        Output.trouble("\(words[0]) cannot be run: \(String(cString: strerror(errno)))")
        throw ExitCode(127)
    }
}
