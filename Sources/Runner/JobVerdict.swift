// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Wire

/// Reads a job's end: nil when it went well, else the failure in the user's words.
struct JobVerdict {
    /// `build`, `release`
    let name: String
    let command: String
    let timeout: TimeSpan
    let silence: TimeSpan?
    let bounds: Confinement

    /// What kinto saw itself. Why it was so is in the log: ``Diagnosis`` reads that.
    func failure(_ state: SupervisorState) -> Failure? {
        if state.cause == .itself, state.ending == .exited(code: 0) { return nil }
        switch (state.cause, state.ending) {
        case (.timeout, _):
            return Failure(
                code: "\(name)-timeout", "the \(name) command ran longer than \(timeout) and was stopped",
                hints: [.init("raise \(name).timeout in kinto.json, or make it faster")])
        case (.silence, _):
            return Failure(
                code: "\(name)-silent",
                "the \(name) command printed nothing for \(silence.map { "\($0)" } ?? "too long") and was stopped",
                hints: [.init("raise build.silence in kinto.json, or let the command print its progress")])
        case (.memory, _):
            let limit = bounds.memory >> 20
            let peak = state.peakMemory.map { " (at most \($0 >> 20) MiB were used)" } ?? ""
            return Failure(
                code: "\(name)-memory",
                bounds.memory > 0
                    ? "the \(name) command ran out of memory, its limit is \(limit) MiB, and was ended\(peak)"
                    : "the machine ran out of memory and the \(name) command was ended\(peak)",
                hints: [
                    .init(
                        name == "build"
                            ? "raise build.memory in kinto.json, at most to what the server gives a build"
                            : "have it use less memory at once"),
                    .init("raise what the server gives", command: "kinto serve --build-memory SIZE"),
                ])
        case (.processes, _):
            return Failure(
                code: "\(name)-processes",
                "the \(name) command started more processes and threads than its limit of \(bounds.processes), and was ended",
                hints: [
                    .init("see whether it starts processes without end"),
                    .init("raise the limit", command: "kinto serve --build-processes NUMBER"),
                ])
        case (.space, _):
            return Failure(
                code: "space-low",
                "the \(name) command left less than \(bounds.freeBytes >> 20) MiB or \(bounds.freeFiles) files free on the file system of kinto's home, and was ended before it could fill it",
                hints: FreeSpaceFloor.hints)
        case (_, .exited(code: 127)):
            return Failure(
                code: "\(name)-not-found",
                "the \(name) command uses a program that is not there (exit code 127)",
                hints: [.init("install it on this host, or correct \(name).command in kinto.json")])
        case (_, .exited(code: 126)):
            return Failure(
                code: "\(name)-not-executable",
                "the \(name) command names a file that is not executable (exit code 126)",
                hints: [.init("set its executable bit", command: "git update-index --chmod=+x FILE")])
        case (_, .exited(let code)):
            return Failure(
                code: "\(name)-exit", "the \(name) command failed with exit code \(code): \(command)",
                hints: [
                    .init(
                        "run the command in a clean clone of the commit to see it fail in your own terminal")
                ])
        case (_, .signaled(let signal)):
            return Failure(
                code: "\(name)-killed", "the \(name) command was killed by signal \(signal)",
                hints: signal == 9
                    ? [
                        .init(
                            "signal 9 may mean that memory ran out: look at the kernel's log",
                            command: "dmesg -T | tail")
                    ] : [])
        case (_, .unstartable(let code, let operation)):
            return Failure(
                code: "\(name)-unstartable",
                "the \(name) command could not be started: \(SystemError(operation, code: code))")
        case (_, nil):
            return Failure(
                code: "\(name)-lost", "the \(name) command ended without a trace: its supervisor was killed",
                hints: [.init("deploy again")])
        }
    }
}
