// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import Glibc
internal import Synchronization
internal import Wire

/// A terminal that one program has to itself, and that is as it was before when that is over, however it ends.
final class FullScreen: Sendable {
    private struct State {
        var isShown = false
        /// What stands on it, line by line.
        var drawn: [String] = []
    }

    private let before: termios
    private let state = Mutex(State())

    /// Alternate screen, no cursor, no automatic wrapping: a width that the terminal sees otherwise breaks one line only.
    private static let enter = "\u{1B}[?1049h\u{1B}[?25l\u{1B}[?7l\u{1B}[H\u{1B}[2J"
    private static let leave = "\u{1B}[0m\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l"

    /// Both ends are terminals that can be drawn on.
    static var isPossible: Bool {
        let kind = ProcessInfo.processInfo.environment["TERM"] ?? ""
        return isatty(0) == 1 && isatty(1) == 1 && !kind.isEmpty && kind != "dumb"
    }

    /// - Throws: `SystemError`.
    init() throws {
        var before = termios()
        try check("tcgetattr", "terminal") { tcgetattr(0, &before) }
        self.before = before
    }

    func enter() {
        var raw = before
        cfmakeraw(&raw)
        tcsetattr(0, TCSADRAIN, &raw)
        state.withLock { state in
            state.isShown = true
            state.drawn = []
            FullScreen.write(FullScreen.enter)
        }
    }

    /// Once is enough; more does nothing.
    func leave() {
        // One who draws may be stuck at a terminal that takes nothing: what it did not take is let go.
        if state.withLockIfAvailable({ end(&$0) }) == nil {
            tcflow(1, TCOON)
            tcflush(1, TCOFLUSH)
            FullScreen.write(FullScreen.leave)
        }
        var before = before
        tcsetattr(0, TCSANOW, &before)
    }

    private func end(_ state: inout State) {
        guard state.isShown else { return }
        state.isShown = false
        FullScreen.write(FullScreen.leave)
    }

    /// Stops this process as Ctrl-Z does, with the terminal as it was before, until it is told to go on.
    func suspend() {
        leave()
        // Threads of the pool have signals blocked; sent to this one it stops before the next line.
        var stop = sigset_t()
        var before = sigset_t()
        sigemptyset(&stop)
        sigaddset(&stop, SIGTSTP)
        pthread_sigmask(SIG_UNBLOCK, &stop, &before)
        raise(SIGTSTP)
        pthread_sigmask(SIG_SETMASK, &before, nil)
        enter()
    }

    /// Restores the terminal when this process is told to end, and ends it. To be called before ``enter()``: until it returns a
    /// signal has its usual effect, and none is lost.
    /// - Returns: to be kept as long as that is so.
    func watch(resized: @escaping @Sendable () -> Void) async -> [any DispatchSourceSignal] {
        var sources: [any DispatchSourceSignal] = []
        for number in [SIGWINCH, SIGINT, SIGTERM, SIGHUP, SIGQUIT] {
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { [self] in
                if number == SIGWINCH { return resized() }
                leave()
                exit(128 + number)
            }
            await withCheckedContinuation { registered in
                source.setRegistrationHandler { registered.resume() }
                source.activate()
            }
            sources.append(source)
        }
        return sources
    }

    static var size: (columns: Int, rows: Int) {
        var size = winsize()
        guard ioctl(1, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
            return (80, 24)
        }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// Writes the lines that are not there already.
    /// - Parameter anew: whatever stands there.
    func draw(_ lines: [String], anew: Bool) {
        state.withLock { state in
            guard state.isShown else { return }
            let isNew = anew || state.drawn.count != lines.count
            var text = isNew ? "\u{1B}[2J" : ""
            for (index, line) in lines.enumerated() where isNew || state.drawn[index] != line {
                text += "\u{1B}[\(index + 1);1H\(line)\u{1B}[0m\u{1B}[K"
            }
            state.drawn = lines
            if !text.isEmpty { FullScreen.write(text) }
        }
    }

    /// A terminal that is gone takes nothing; its end is told by a signal.
    private static func write(_ text: String) {
        let bytes = Array(text.utf8)
        var done = 0
        while done < bytes.count {
            let written = bytes.withUnsafeBytes { bytes in
                bytes.baseAddress.map { Glibc.write(1, $0 + done, bytes.count - done) } ?? -1
            }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { return }
            done += written
        }
    }
}
