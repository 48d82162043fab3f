// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Wire

/// What a signal says of the program that it ended, also when a shell tells of it as exit code 128 and more.
enum ExitMeaning {
    static func of(_ ending: SupervisorState.Ending?) -> (code: String, words: String)? {
        let signal: Int32
        switch ending {
        case .signaled(let number): signal = number
        case .exited(let code) where code > 128 && code < 160: signal = code - 128
        default: return nil
        }
        return switch signal {
        case SIGSEGV, SIGBUS:
            (code: "crashed", words: "signal \(signal): the program used memory that is not its own")
        case SIGABRT: (code: "crashed", words: "signal \(signal): the program gave itself up (abort)")
        case SIGILL, SIGTRAP:
            (
                code: "crashed",
                words:
                    "signal \(signal): the program stopped at a check of its own, or is made for another processor"
            )
        case SIGFPE: (code: "crashed", words: "signal \(signal): a division by zero, or the like")
        case SIGKILL:
            (
                code: "killed-by-system",
                words: "signal \(signal): the kernel ended it, mostly because memory ran out, or somebody did"
            )
        case SIGXFSZ: (code: "crashed", words: "signal \(signal): a file became larger than it may be")
        default: nil
        }
    }
}
