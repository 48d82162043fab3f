// SPDX-License-Identifier: Apache-2.0
import Foundation

/// Plays a person at a pseudo-terminal: waits for what the screen shows, and types.
enum Terminal {
    /// Steps: `expect TEXT` and `absent TEXT` wait for what stands on the screen, `send KEYS` types (escapes of Python's),
    /// `touch PATH`, `kill NUMBER`, `size ROWS COLUMNS`.
    ///
    /// - Parameter program: nil: kinto.
    /// - Returns: what was printed, then a line `restored` if the terminal's settings are those from before, and the exit status.
    static func play(
        _ server: Server, _ words: [String], _ steps: [String], program: String? = nil, more: [String] = []
    ) async throws -> Server.Result {
        try await server.run(
            "/usr/bin/env",
            ["python3", "-c", script, program ?? "\(server.bin)/kinto", "\(words.count)"] + words + steps,
            more: ["TERM=xterm"] + more)
    }

    private static let script = #"""
        import fcntl, os, pty, re, select, signal, struct, sys, termios, time
        path, count = sys.argv[1], int(sys.argv[2])
        words, steps = sys.argv[3:3 + count], sys.argv[3 + count:]
        pid, master = pty.fork()
        if pid == 0:
            signal.pthread_sigmask(signal.SIG_SETMASK, [])
            os.kill(os.getpid(), signal.SIGSTOP)
            os.execv(path, [os.path.basename(path)] + words)
        def resize(rows, columns):
            fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.waitpid(pid, os.WUNTRACED)
        resize(30, 160)
        before = termios.tcgetattr(master)
        os.kill(pid, signal.SIGCONT)
        raw, screen, row, column, pending, isOver = b"", {}, 1, 0, "", False
        def take(text):
            global row, column, pending
            pending += text
            while pending:
                match = re.match(r"\x1b\[([?0-9;]*)([A-Za-z])", pending)
                if match:
                    numbers, kind = match.groups()
                    if kind == "H": row, column = int((numbers or "1").split(";")[0]), 0
                    if kind == "J": screen.clear()
                    if kind == "K": screen[row] = screen.get(row, "")[:column]
                    pending = pending[match.end():]
                elif pending[0] == "\x1b" and len(pending) < 20: return
                else:
                    line = screen.get(row, "")
                    screen[row] = line[:column] + pending[0] + line[column + 1:]
                    column, pending = column + 1, pending[1:]
        def read(seconds):
            global raw, isOver
            if isOver or not select.select([master], [], [], seconds)[0]: return
            try: chunk = os.read(master, 65536)
            except OSError: chunk = b""
            if not chunk: isOver = True
            raw += chunk
            take(chunk.decode(errors="replace"))
        def shown(): return "\n".join(screen[row] for row in sorted(screen))
        def wait(text, isThere):
            latest = time.monotonic() + 180
            while (text in shown()) != isThere:
                if isOver or time.monotonic() > latest:
                    print("waited for", repr(text), isThere, "on:\n" + shown())
                    os.kill(pid, signal.SIGKILL)
                    sys.exit(99)
                read(0.2)
        for step in steps:
            what, _, rest = step.partition(" ")
            if what == "expect": wait(rest, True)
            if what == "absent": wait(rest, False)
            if what == "send": os.write(master, rest.encode().decode("unicode_escape").encode("latin-1"))
            if what == "touch": open(rest, "w").close()
            if what == "kill": os.kill(pid, int(rest))
            if what == "size":
                resize(*map(int, rest.split()))
                raw, screen = b"", {}
        while not isOver: read(60)
        sys.stdout.buffer.write(raw + b"\n")
        sys.stdout.flush()
        if termios.tcgetattr(master) == before: print("restored")
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        """#
}
