// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import KintoCore
import Runner
import TestSupport
import Testing
import Wire

/// A real kinto in a temporary home with free ports, a work tree to push from, and the way to talk to it.
final class Server: Sendable {
    let root: String
    let home: String
    let work: String
    let listen: UInt16
    let proxy: UInt16
    let bin: String
    /// More words for `kinto serve`.
    private let options: [String]
    /// More variables for it.
    private let environment: @Sendable (Server) -> [String]

    /// Runs `body` with a server that is gone, with all it started, afterwards.
    /// - Parameter prepare: before it is started for the first time.
    static func with(
        _ options: [String] = [], prepare: (Server) async throws -> Void = { _ in },
        environment: @escaping @Sendable (Server) -> [String] = { _ in [] },
        _ body: (Server) async throws -> Void
    ) async throws {
        let server = try Server(options, environment)
        try await prepare(server)
        try await server.serve()
        do {
            try await body(server)
        } catch {
            // Nobody can look at it afterwards.
            let log = (try? String(contentsOfFile: "\(server.root)/serve.log", encoding: .utf8)) ?? ""
            let status = try? await server.kinto("status").output
            await server.end()
            throw Trouble("\(error)\n\(log)\n\(status ?? "")")
        }
        await server.end()
    }

    private init(_ options: [String], _ environment: @escaping @Sendable (Server) -> [String]) throws {
        self.options = options
        self.environment = environment
        root = "/tmp/kinto-e2e-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        home = "\(root)/home"
        work = "\(root)/work"
        bin = try Products.directory()
        listen = try FreePort.take()
        proxy = try FreePort.take()
        try FileManager.default.createDirectory(atPath: work, withIntermediateDirectories: true)
    }

    private static let secrets = Mutexed<[String: String]>([:])
    /// What webhooks of the service are signed with.
    var webhookSecret: String { Server.secrets.read { $0[root] ?? "" } }

    private static let pids = Mutexed<[String: Int32]>([:])
    private(set) var pid: Int32 {
        get { Server.pids.read { $0[root] ?? 0 } }
        set { Server.pids.write { $0[root] = newValue } }
    }

    /// Starts `kinto serve` and waits until it answers.
    /// - Parameter variables: `NAME=value`, more of its environment.
    func serve(_ words: String..., variables: [String] = []) async throws {
        let log = try Descriptor.open("\(root)/serve.log", O_WRONLY | O_CREAT | O_APPEND)
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        let more = ["PATH=\(path)", "HOME=\(root)"] + environment(self) + variables
        Server.pids.write { [root, bin, home, listen, proxy, options] pids in
            pids[root] = try? Spawn(
                path: "\(bin)/kinto",
                arguments: [
                    "kinto", "serve", "--home", home, "--listen", "127.0.0.1:\(listen)", "--proxy-listen",
                    "127.0.0.1:\(proxy)",
                ] + options + words,
                environment: more, standardOutput: log, standardError: log
            ).start()
        }
        let latest = ContinuousClock.now + .seconds(180)
        while ContinuousClock.now < latest, isThere {
            if try await kinto("status", "--json").status == 0, await isListening { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw Trouble(
            "the server did not start: \((try? String(contentsOfFile: "\(root)/serve.log", encoding: .utf8)) ?? "")"
        )
    }

    /// Whether it answers at its port, too, which is another socket than that of the commands.
    private var isListening: Bool {
        get async {
            if options.contains("--listen") { return true }
            let url = "http://127.0.0.1:\(listen)/healthz"
            return (try? await HTTPClient.send(.init(url: url, timeout: 60_000)).status) == 200
        }
    }

    /// Whether it has not ended. Its number stays its own until somebody waits for it.
    private var isThere: Bool {
        var end = siginfo_t()
        return pid > 0 && waitid(P_PID, id_t(pid), &end, WEXITED | WNOHANG | WNOWAIT) == 0
            && end.si_signo != SIGCHLD
    }

    /// SIGTERM, and the time it took to end.
    func stop() -> Duration {
        let clock = ContinuousClock()
        return clock.measure { end(with: SIGTERM) }
    }

    /// To the server, if there is one: 0 would be everything that belongs to the tests (kill(2)).
    func send(_ signal: Int32) { if pid > 0 { kill(pid, signal) } }

    /// Sends a signal that ends the server, and waits for its end. Its number may be another's afterwards: it is forgotten.
    /// - Returns: its status as wait(2) has it: 0 when it ended by itself and well.
    @discardableResult func end(with signal: Int32) -> Int32 {
        guard pid > 0 else { return -1 }
        kill(pid, signal)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
        pid = 0
        return status
    }

    private func end() async {
        let status = try? await json("status", "--json") as? [String: Any]
        let supervisor = (status?["proxy"] as? [String: Any])?["supervisor"] as? Int
        for service in status?["services"] as? [[String: Any]] ?? [] {
            _ = try? await kinto("service", "remove", service["name"] as? String ?? "", "--yes")
        }
        _ = stop()
        if let supervisor, supervisor > 1 {
            kill(Int32(supervisor), SIGTERM)
            for _ in 0..<500 where kill(Int32(supervisor), 0) == 0 {
                try? await Task.sleep(for: .milliseconds(10))
            }
        }
        await removeGroups()
        try? FileManager.default.removeItem(atPath: root)
    }

    /// The control groups of a server that was killed and not started again: nobody else will.
    private func removeGroups() async {
        let name = "kinto-\(ProcessEnvironment.homeMark(Home(home)))"
        _ = try? await run(
            "/usr/bin/find", ["/sys/fs/cgroup", "-depth", "-type", "d", "-path", "*/\(name)*", "-delete"])
    }

    // MARK: Commands

    struct Result {
        let status: Int32
        let output: String
    }

    @discardableResult
    func kinto(_ arguments: String...) async throws -> Result {
        try await run("\(bin)/kinto", arguments + ["--home", home])
    }

    func json(_ arguments: String...) async throws -> Any {
        let process = try await run("\(bin)/kinto", arguments + ["--home", home])
        return try JSONSerialization.jsonObject(with: Data(process.output.utf8))
    }

    func releases(_ name: String) async throws -> [[String: Any]] {
        try await json("releases", name, "--json") as? [[String: Any]] ?? []
    }

    /// - Parameter more: `NAME=value`, more of its environment.
    func run(
        _ path: String, _ arguments: [String], in directory: String? = nil, more: [String] = []
    ) async throws -> Result {
        var environment = [
            "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin", "HOME": root,
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
            // A hook waits for some seconds for the server to answer; on a machine with much to do that is not long.
            "KINTO_HOOK_PATIENCE": "120",
        ]
        for entry in more {
            let parts = entry.split(separator: "=", maxSplits: 1)
            environment[String(parts[0])] = String(parts[1])
        }
        let done = try await Command.run(
            path, arguments, in: directory, environment: environment.map { "\($0)=\($1)" })
        return Result(status: done.status, output: done.output)
    }

    @discardableResult
    func git(_ arguments: String...) async throws -> Result {
        try await run(
            "/usr/bin/git", ["-c", "user.name=t", "-c", "user.email=t@example.com", "-C", work] + arguments)
    }

    func write(_ name: String, _ text: String) throws {
        try text.write(toFile: "\(work)/\(name)", atomically: true, encoding: .utf8)
    }

    /// Commits what is there and pushes it.
    @discardableResult
    func push(_ message: String, branch: String = "main") async throws -> Result {
        try await git("add", "-A")
        try await git("commit", "-q", "--allow-empty", "-m", message)
        return try await git("push", "\(home)/repos/hello.git", "HEAD:\(branch)")
    }

    /// Pushes a release that is to fail for what its probe finds within a short deadline. A process that was not so far
    /// by then, on a machine with much to do, gets more time.
    /// - Parameters:
    ///   - code: of the failure that is wanted; nil: any deadline will do.
    ///   - settings: with the deadline in them.
    @discardableResult
    func push(_ message: String, failing code: String?, _ settings: (String) -> String) async throws -> Result
    {
        var result = Result(status: 0, output: "")
        for deadline in code == nil ? ["3m"] : ["2s", "15s", "90s"] {
            try write("kinto.json", settings(deadline))
            result = try await push(message)
            let failure = try await releases("hello").first?["failure"] as? [String: Any]
            if failure?["code"] as? String == code { break }
        }
        return result
    }

    /// Waits for something to be so, at most three minutes: the machine may have much to do.
    func until(_ condition: () async throws -> Bool) async throws {
        let latest = ContinuousClock.now + .seconds(180)
        while ContinuousClock.now < latest {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw Trouble("what was waited for did not come")
    }

    func get(_ path: String = "/", host: String = "hello.localhost", timeout: Int = 60_000) async throws
        -> HTTPClient.Response
    {
        try await HTTPClient.send(
            .init(
                url: "http://127.0.0.1:\(proxy)\(path)", headers: ["Host: \(host)"],
                timeout: timeout))
    }

    /// A registered service with the answering application in the work tree.
    func setUp(
        _ settings: String =
            #"{"start":"python3 server.py","probe":{"path":"/"},"rollout":{"stop":{"grace":"5s"}}}"#
    ) async throws {
        let added = try await json("service", "add", "hello", "--json") as? [String: Any]
        let secret = (added?["webhook"] as? [String: Any])?["secret"] as? String ?? ""
        #expect(!secret.isEmpty)
        Server.secrets.write { [root] in $0[root] = secret }
        try await git("init", "-q", "-b", "main")
        try write("server.py", Server.application)
        try write("kinto.json", settings)
    }

    static let application = """
        import os, signal, sys
        from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            def answer(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                body = ("release=%s pid=%d %s" % (os.environ["KINTO_RELEASE"], os.getpid(), os.environ.get("GREETING", ""))).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            do_GET = do_POST = answer
            def log_message(self, *a): pass
        signal.signal(signal.SIGTERM, lambda *a: os._exit(0))
        ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
        """
}
