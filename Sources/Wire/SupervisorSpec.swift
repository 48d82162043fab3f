// SPDX-License-Identifier: Apache-2.0

/// All that a supervisor needs to know of the one command it owns. It arrives as one `Frame` on the supervisor's
/// standard input, followed by a gate: the command is started when one more byte arrives, never when the input
/// ends instead, so a command that could not be recorded never runs.
public struct SupervisorSpec: Sendable, Equatable {
    /// How the command is meant to end.
    public enum Mode: String, Sendable {
        /// Meant to run for ever: started again with back-off when it ends.
        case service
        /// Meant to end: its exit is the result.
        case job
    }

    /// How each output line is written to the log.
    public enum LogStyle: String, Sendable {
        /// `TIME text`
        case console
        /// `TIME        text`: seven spaces, a detail line of the release log.
        case detail
    }

    /// The `KINTO_TOKEN`-like mark in the command's environment by which strays are recognised: unique per start.
    public var identifier: String
    public var mode: Mode
    /// Given to `/bin/sh -c` as one argument.
    public var command: String
    /// What the command finds as `$@`: words that no shell reads.
    public var arguments: [String] = []
    /// Where the supervisor's standard output listens for the one who wants the command's input and output: see
    /// `Attachment`. nil: the input is empty, and the output goes to the log.
    public var attachment: Attachment?
    public var workingDirectory: String
    /// `NAME=value`, the whole environment.
    public var environment: [String]
    /// Appended to; made when absent.
    public var logPath: String
    public var logStyle: LogStyle
    /// Service: the log is rotated to `logPath.1` at this size. Job: output beyond it is left out, with a marker and
    /// the last lines kept. Bytes.
    public var logLimit: Int
    /// Replaced by `[redacted]` wherever they occur in the output, also across reads.
    public var secrets: [String]
    /// Where the `SupervisorState` is kept.
    public var statePath: String
    /// First signal of the stop sequence (signal(7) number), sent to every process of the tree.
    public var stopSignal: Int32
    /// Time from that signal to SIGKILL, in milliseconds.
    public var stopGrace: Int
    /// Job: longest run, milliseconds; 0: no limit.
    public var timeout: Int
    /// Job: longest time without output, milliseconds; 0: no limit.
    public var silence: Int
    /// Service: the longest pause before it is started again, milliseconds.
    public var backOffLimit: Int
    /// Service: the exit status with which it is over and not started again; -1: there is none.
    public var finalStatus: Int32
    /// What the command and all it starts are held to.
    public var confinement: Confinement

    public init(
        identifier: String, mode: Mode, command: String, workingDirectory: String, environment: [String],
        logPath: String, logStyle: LogStyle, logLimit: Int, secrets: [String] = [], statePath: String,
        stopSignal: Int32 = 15, stopGrace: Int = 30_000, timeout: Int = 0, silence: Int = 0,
        backOffLimit: Int = 60_000, finalStatus: Int32 = -1, confinement: Confinement = Confinement()
    ) {
        self.identifier = identifier
        self.mode = mode
        self.command = command
        self.workingDirectory = workingDirectory
        self.environment = environment
        self.logPath = logPath
        self.logStyle = logStyle
        self.logLimit = logLimit
        self.secrets = secrets
        self.statePath = statePath
        self.stopSignal = stopSignal
        self.stopGrace = stopGrace
        self.timeout = timeout
        self.silence = silence
        self.backOffLimit = backOffLimit
        self.finalStatus = finalStatus
        self.confinement = confinement
    }

    /// Somebody whose input and output the command has, as long as the connection lasts.
    public struct Attachment: Sendable, Equatable {
        /// The socket, which is removed as soon as somebody has come.
        public var path: String
        /// One descriptor, of a terminal, is handed over; else three: input, output, errors.
        public var isTerminal: Bool

        public init(path: String, isTerminal: Bool) {
            self.path = path
            self.isTerminal = isTerminal
        }
    }

    /// The byte that opens the gate.
    public static let gate = UInt8(ascii: "G")

    public var fields: Fields {
        var f = Fields()
        f.add("identifier", identifier)
        f.add("mode", mode.rawValue)
        f.add("command", command)
        for argument in arguments { f.add("argument", argument) }
        if let attachment {
            f.add(attachment.isTerminal ? "terminalAttachment" : "attachment", attachment.path)
        }
        f.add("workingDirectory", workingDirectory)
        for entry in environment { f.add("environment", entry) }
        f.add("logPath", logPath)
        f.add("logStyle", logStyle.rawValue)
        f.add("logLimit", logLimit)
        for secret in secrets { f.add("secret", secret) }
        f.add("statePath", statePath)
        f.add("stopSignal", stopSignal)
        f.add("stopGrace", stopGrace)
        f.add("timeout", timeout)
        f.add("silence", silence)
        f.add("backOffLimit", backOffLimit)
        f.add("finalStatus", finalStatus)
        confinement.add(to: &f)
        return f
    }

    public init(_ f: Fields) throws(WireError) {
        guard let mode = Mode(rawValue: try f.required("mode")) else { throw .malformed("mode") }
        guard let style = LogStyle(rawValue: try f.required("logStyle")) else { throw .malformed("logStyle") }
        self.init(
            identifier: try f.required("identifier"), mode: mode, command: try f.required("command"),
            workingDirectory: try f.required("workingDirectory"), environment: f.all("environment"),
            logPath: try f.required("logPath"), logStyle: style, logLimit: try f.requiredInteger("logLimit"),
            secrets: f.all("secret"), statePath: try f.required("statePath"),
            stopSignal: try f.requiredInteger("stopSignal"), stopGrace: try f.requiredInteger("stopGrace"),
            timeout: try f.requiredInteger("timeout"), silence: try f.requiredInteger("silence"),

            // Not in what an older server writes that was not started again after an upgrade.
            backOffLimit: f.integer("backOffLimit") ?? 60_000, finalStatus: f.integer("finalStatus") ?? -1,
            confinement: try Confinement(f))
        arguments = f.all("argument")
        attachment =
            f["terminalAttachment"].map { Attachment(path: $0, isTerminal: true) }
            ?? f["attachment"].map { Attachment(path: $0, isTerminal: false) }
    }
}
