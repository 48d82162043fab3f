// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Wire

/// Processes that answer with their release's number, and die at once when they are told to: a request that comes
/// later is lost.
final class Instance: Sendable {
    let port: UInt16
    private let pid: Int32

    private static let program = """
        import os, signal, sys, threading
        from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
        class Server(ThreadingHTTPServer):
            request_queue_size = 128
        go, served = threading.Event(), 0
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1
            def answer(self):
                global served
                served += 1
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.path == "/slow": go.wait(600)
                body = (str(served) if self.path == "/served" else "release=%s " % sys.argv[2]).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            do_GET = do_POST = answer
            def log_message(self, *a): pass
        signal.signal(signal.SIGUSR1, lambda *a: go.set())
        signal.signal(signal.SIGTERM, lambda *a: os._exit(0))
        Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
        """

    /// Returns when it listens.
    init(release: Int) async throws {
        port = try FreePort.take()
        pid = try Spawn(
            path: "/usr/bin/python3", arguments: ["python3", "-c", Self.program, "\(port)", "\(release)"],
            environment: ["PATH=/usr/bin:/bin"]
        ).start()
        try await Ports.listening(port)
    }

    /// Returns when it has answered some more requests.
    func serves() async throws {
        func served() async throws -> Int {
            let answer = try await HTTPClient.send(
                .init(url: "http://127.0.0.1:\(port)/served", timeout: 60_000))
            return Int(String(decoding: answer.body, as: UTF8.self)) ?? 0
        }
        // Of those that are looked for here each is one itself.
        let before = try await served()
        var looks = 0
        try await until("requests for the instance at \(port)") {
            looks += 1
            return try await served() >= before + looks + 20
        }
    }

    /// Answers requests for `/slow` from now on, and those that wait.
    func letGo() { kill(pid, SIGUSR1) }

    func stop() {
        kill(pid, SIGTERM)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
    }
}

enum Ports {
    static func isOpen(_ port: UInt16) -> Bool {
        let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(raw) }
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(raw, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    static func listening(_ port: UInt16) async throws {
        try await until("port \(port) listens") { isOpen(port) }
    }
}
