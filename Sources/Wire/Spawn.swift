// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc

/// A program to start, exactly: argv, environment and descriptors are what is given here and nothing else.
public struct Spawn: Sendable {
    /// Absolute path of the program.
    public var path: String
    /// argv, the program's own name first.
    public var arguments: [String]
    /// `NAME=value` entries, the whole environment.
    public var environment: [String]
    /// nil: the parent's.
    public var workingDirectory: String?
    /// nil: /dev/null.
    public var standardInput: Descriptor?
    public var standardOutput: Descriptor?
    public var standardError: Descriptor?
    /// setsid(2): own session and process group.
    public var newSession: Bool
    /// Its standard input is a terminal that becomes the session's; for what is confined.
    public var isTerminal = false
    /// What it is held to from its first moment, its group made already.
    public var confinement: Confinement?
    /// The group that it is in before it becomes the program.
    public var group: ControlGroup?

    public init(
        path: String, arguments: [String], environment: [String] = [], workingDirectory: String? = nil,
        standardInput: Descriptor? = nil, standardOutput: Descriptor? = nil, standardError: Descriptor? = nil,
        newSession: Bool = false
    ) {
        self.path = path
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.standardInput = standardInput
        self.standardOutput = standardOutput
        self.standardError = standardError
        self.newSession = newSession
    }

    /// Starts it. The caller owns the child: it must be waited for.
    /// - Returns: the child's pid.
    public func start() throws(SystemError) -> Int32 {
        var pid: pid_t = 0
        var step = "start"
        let code = withCStrings(arguments) { argv in
            withCStrings(environment) { envp in
                path.withCString { program in
                    func run(_ directory: UnsafePointer<CChar>?) -> Int32 {
                        var options = kinto_spawn_options()
                        options.path = program
                        options.argv = argv
                        options.envp = envp
                        options.working_directory = directory
                        options.stdin_fd = standardInput?.raw ?? -1
                        options.stdout_fd = standardOutput?.raw ?? -1
                        options.stderr_fd = standardError?.raw ?? -1
                        options.new_session = newSession ? 1 : 0
                        options.terminal = isTerminal ? 1 : 0
                        return withUnsafeMutablePointer(to: &pid) { out in
                            options.pid = out
                            if confinement == nil, group == nil { return kinto_spawn(&options) }
                            return spawnConfined(&options, &step)
                        }
                    }
                    return workingDirectory.map { $0.withCString { run($0) } } ?? run(nil)
                }
            }
        }
        guard code == 0 else {
            throw SystemError(step, step == "chdir" ? workingDirectory ?? "" : path, code: code)
        }
        return pid
    }

    private func spawnConfined(_ options: inout kinto_spawn_options, _ step: inout String) -> Int32 {
        let bounds = confinement ?? Confinement()
        return withCStrings(group?.entrances ?? []) { entrances in
            withCStrings([bounds.memoryScore.map(String.init) ?? ""]) { texts in
                var c = kinto_confinement()
                c.oom_score = bounds.memoryScore == nil ? nil : texts[0].map { UnsafePointer($0) }
                c.nice = bounds.isBackground ? 10 : 0
                // The shortest that the kernel takes: what answers visitors interrupts what calculates, and waits for no
                // tick (4 ms) first.
                c.slice = bounds.isBackground ? 0 : 100_000
                // The lowest of those that are not starved: class "best effort", level 7.
                c.io_priority = bounds.isBackground ? 2 << 13 | 7 : -1
                c.user = bounds.user.map { Int($0.user) } ?? -1
                c.group = bounds.user.map { Int($0.group) } ?? -1
                var failed: UnsafePointer<CChar>?
                let code = entrances.withMemoryRebound(to: UnsafePointer<CChar>?.self, capacity: 1) {
                    c.entrances = $0
                    return kinto_spawn_confined(&options, &c, &failed)
                }
                if let failed { step = String(cString: failed) }
                return code
            }
        }
    }

    private func withCStrings<R>(
        _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> R
    ) -> R {
        var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) }
        defer { for pointer in pointers { free(pointer) } }
        pointers.append(nil)
        return pointers.withUnsafeBufferPointer { buffer in
            // The array holds at least the terminating nil, so it has an address.
            withUnsafePointer(to: nil as UnsafeMutablePointer<CChar>?) { empty in
                body(buffer.baseAddress ?? empty)
            }
        }
    }
}
