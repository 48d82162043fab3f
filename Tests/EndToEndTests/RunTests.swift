// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Wire

/// `kinto run` and `kinto shell`: docs/processes.md.
@Suite(.timeLimit(.minutes(20)))
struct RunTests {
    private static let settings =
        #"{"start":"python3 server.py","probe":{"path":"/"},"env":{"COLOUR":"blue"},"rollout":{"stop":{"grace":"5s"}}}"#

    private func shell(_ server: Server, _ line: String) async throws -> Server.Result {
        try await server.run(
            "/bin/sh", ["-c", line], more: ["KINTO=\(server.bin)/kinto", "KINTO_HOME=\(server.home)"])
    }

    @Test func aCommandHasTheReleasesPlaceVariablesAndStreams() async throws {
        try await Server.with { server in
            try await server.setUp(Self.settings)
            try await server.push("first")
            try await server.kinto("config", "hello", "set", "SHAPE=round")
            try await server.until {
                try await server.releases("hello").first?["live"] as? Bool == true
            }
            let facts = try await shell(
                server,
                "echo in | $KINTO run hello -- 'cat; echo $COLOUR $SHAPE $KINTO_RELEASE ${PORT-none}; ls; echo trouble >&2; exit 6' 2>\(server.root)/errors"
            )
            #expect(facts.status == 6)
            #expect(facts.output == "in\nblue round 2 none\nkinto.json\nserver.py\n", "\(facts.output)")
            #expect(try String(contentsOfFile: "\(server.root)/errors", encoding: .utf8) == "trouble\n")
            // Words that no shell reads.
            let words = try await shell(
                server, "$KINTO run hello -- printf '%s|' 'a b' '$HOME;' '' </dev/null")
            #expect(words.output == "a b|$HOME;||")
            #expect(words.status == 0)
            #expect(try await shell(server, "$KINTO run hello -- no-such-program x </dev/null").status == 127)
            #expect(try await shell(server, "$KINTO run hello -- 'kill -9 $$' </dev/null").status == 137)
            // A lot of it, and nothing is lost.
            let much = try await shell(server, "head -c 5000000 /dev/zero | $KINTO run hello -- cat | wc -c")
            #expect(much.output.contains("5000000"), "\(much.output)")
            // Whoever reads it goes: so does the command.
            for line in ["head -c 5000000 /dev/zero", "yes"] {
                let cut = try await shell(
                    server, "$KINTO run hello -- '\(line)' </dev/null | head -c 4 | wc -c")
                #expect(cut.output.contains("4"), "\(cut.output)")
            }
            // Nothing is left.
            try await server.until { try Files.list("\(server.home)/runs").isEmpty }
            let none = try await server.json("ps", "hello", "--json") as? [String: Any]
            #expect((none?["runs"] as? [Any])?.isEmpty == true)
            #expect(try await shell(server, "$KINTO run hello --release 9 -- true").status == 3)
            #expect(try await server.kinto("run", "hello").status == 2)
        }
    }

    @Test func onATerminalItHasATerminal() async throws {
        try await Server.with { server in
            try await server.setUp(Self.settings)
            try await server.push("first")
            let program = """
                import fcntl, os, pty, struct, sys, termios
                pid, master = pty.fork()
                if pid == 0:
                    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 111, 0, 0))
                    os.environ["TERM"] = "vt100"
                    os.execv(sys.argv[1], ["kinto"] + sys.argv[2:])
                sent, seen = False, b""
                while True:
                    try: chunk = os.read(master, 4096)
                    except OSError: break
                    if not chunk: break
                    sys.stdout.buffer.write(chunk)
                    seen += chunk
                    if b"ready" in seen and not sent:
                        sent = True
                        os.write(master, b"typed\\r")
                sys.stdout.flush()
                sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                """
            let result = try await server.run(
                "/usr/bin/env",
                [
                    "python3", "-c", program, "\(server.bin)/kinto", "run", "hello", "--home", server.home,
                    "--",
                    "test -t 0 && test -t 1 && test -t 2 && stty size && echo $TERM && : </dev/tty && echo ready && read word && echo \"got $word\"; exit 5",
                ])
            #expect(result.output.contains("33 111\r\n"), "\(result.output)")
            #expect(result.output.contains("vt100\r\n"))
            #expect(result.output.contains("got typed"))
            #expect(result.status == 5)
            // A release that failed after its build: one looks around in it.
            try server.write("note", "why\n")
            try server.write("server.py", "raise SystemExit(3)\n")
            try await server.push("bad")
            let look = try await server.run(
                "/bin/sh",
                [
                    "-c",
                    "echo 'cat note; echo $KINTO_RELEASE; exit 7' | \(server.bin)/kinto shell hello --release 2 --home \(server.home)",
                ])
            #expect(look.output == "why\n2\n", "\(look.output)")
            #expect(look.status == 7)
        }
    }

    @Test func itEndsWithItsClientAndOutlivesTheServer() async throws {
        try await Server.with { server in
            try await server.setUp(Self.settings)
            try await server.push("first")
            // The client goes: so does all that the command started.
            let client = try Spawn(
                path: "\(server.bin)/kinto",
                arguments: [
                    "kinto", "run", "hello", "--home", server.home, "--",
                    "sleep 1000 & echo $! $$ > \(server.root)/pids; wait",
                ], environment: ["PATH=/usr/bin:/bin"]
            ).start()
            func pids() -> [Int32] {
                ((try? String(contentsOfFile: "\(server.root)/pids", encoding: .utf8)) ?? "").split(
                    whereSeparator: \.isWhitespace
                ).compactMap { Int32($0) }
            }
            try await server.until { pids().count == 2 }
            #expect(try await server.kinto("ps", "hello").output.contains("sleep 1000"))
            kill(client, SIGKILL)
            var status: Int32 = 0
            waitpid(client, &status, 0)
            try await server.until { pids().allSatisfy { kill($0, 0) != 0 } }

            // The server goes: the command does not notice, and its status arrives.
            let going = Task { [self] in
                try await shell(
                    server,
                    "$KINTO run hello -- 'while [ ! -e \(server.root)/go ]; do sleep 0.05; done; echo over; exit 9' </dev/null"
                )
            }
            try await server.until {
                try await server.kinto("ps", "hello").output.contains("echo over")
            }
            server.end(with: SIGKILL)
            try await server.serve()
            try await server.until { try await server.kinto("ps", "hello").output.contains("echo over") }
            try server.touch("go")
            let result = try await going.value
            #expect(result.status == 9)
            #expect(result.output == "over\n")

            // Without anybody: with a log, until somebody ends it.
            let started = try await shell(
                server, "$KINTO run hello --detach --quiet -- 'echo begun; exec sleep 1000'")
            let name = started.output.trimmingCharacters(in: .whitespacesAndNewlines)
            #expect(name.hasPrefix("run."), "\(name)")
            try await server.until {
                try await server.kinto("logs", "hello", "--process", name).output.contains("begun")
            }
            #expect(try await server.kinto("run", "hello", "--stop", name).status == 0)
            try await server.until { try await !server.kinto("ps", "hello").output.contains(name) }
            #expect(try await server.kinto("run", "hello", "--stop", name).status == 3)
        }
    }
}
