// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import Glibc
internal import Wire

/// Shows a command that the server runs on this terminal. It has a terminal of its own, made here: keys are passed on as they
/// are, and what it does with its terminal does nothing to ours.
enum RunTerminal {
    /// - Returns: as ``RunRelay/run(_:)``.
    static func run(_ socket: String) throws -> Int32 {
        let connection = try UnixSocket.connect(socket)
        let master = try handTerminal(over: connection)
        var before = termios()
        tcgetattr(0, &before)
        var raw = before
        cfmakeraw(&raw)
        tcsetattr(0, TCSADRAIN, &raw)
        let sources = watch(master, before)
        Thread.detachNewThread { RunRelay.copy(0, master.raw) }
        let shown = Shown(1)
        Thread.detachNewThread { shown.after { RunRelay.copy(master.raw, 1) } }
        let status = RunRelay.end(connection)
        shown.wait()
        tcsetattr(0, TCSADRAIN, &before)
        withExtendedLifetime(sources) {}
        return status
    }

    /// - Returns: our end; the command's is its own when this returns.
    private static func handTerminal(over connection: Descriptor) throws -> Descriptor {
        let master = try Descriptor.open("/dev/ptmx", O_RDWR | O_NOCTTY)
        var isLocked: Int32 = 0
        try check("unlock", "/dev/ptmx") { ioctl(master.raw, lock, &isLocked) }
        fit(master)
        let other = Descriptor(
            owning: try check("open", "terminal") { ioctl(master.raw, peer, O_RDWR | O_NOCTTY) })
        try UnixSocket.send(other, over: connection)
        return master
    }

    /// TIOCSPTLCK and TIOCGPTPEER (ioctl_tty(2)), which Swift does not see.
    private static let lock: UInt = 0x4004_5431
    private static let peer: UInt = 0x5441

    /// Its size is ours.
    private static func fit(_ master: Descriptor) {
        var size = winsize()
        if ioctl(0, UInt(TIOCGWINSZ), &size) == 0 { _ = ioctl(master.raw, UInt(TIOCSWINSZ), &size) }
    }

    /// Follows the window's size, and leaves the terminal as it was when this process is ended.
    private static func watch(_ master: Descriptor, _ before: termios) -> [any DispatchSourceSignal] {
        ([SIGWINCH, SIGTERM, SIGHUP] as [Int32]).map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                if number == SIGWINCH { return fit(master) }
                var before = before
                tcsetattr(0, TCSANOW, &before)
                exit(128 + number)
            }
            source.activate()
            return source
        }
    }
}
