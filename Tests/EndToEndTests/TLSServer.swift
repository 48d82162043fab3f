// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// A server whose proxy also listens with TLS, and visitors that speak it: curl, openssl and h2load.
struct TLSServer: Sendable {
    let server: Server
    let port: UInt16

    static func with(_ options: [String] = [], _ body: (TLSServer) async throws -> Void) async throws {
        let port = try FreePort.take()
        try await Server.with(["--proxy-tls-listen", "127.0.0.1:\(port)"] + options) { server in
            try await body(TLSServer(server: server, port: port))
        }
    }

    /// Makes a certificate that is its own issuer, in a folder below the test's directory.
    /// - Returns: the folder, with `fullchain.pem` and `privkey.pem`.
    @discardableResult
    func makeCertificate(_ folder: String, for names: String..., days: Int = 30) async throws -> String {
        let path = "\(server.root)/\(folder)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let made = try await server.run(
            "/usr/bin/openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                "\(days)", "-subj", "/CN=\(names[0])", "-addext",
                "subjectAltName=\(names.map { "DNS:\($0)" }.joined(separator: ","))", "-keyout",
                "\(path)/privkey.pem", "-out", "\(path)/fullchain.pem",
            ])
        #expect(made.status == 0, "\(made.output)")
        return path
    }

    /// A service with its certificate, live at hello.localhost.
    func setUp(_ application: String = TLSServer.application) async throws {
        try await server.setUp()
        try server.write("server.py", application)
        let push = try await server.push("first")
        #expect(push.output.contains("Release 1 is live"), "\(push.output)")
        try await certify("hello.localhost")
    }

    /// Puts a new certificate in force.
    func certify(_ names: String...) async throws {
        let folder = try await makeCertificate(names[0], for: names[0])
        let added = try await server.kinto(
            "certificate", "add", names[0], "--chain", "\(folder)/fullchain.pem", "--key",
            "\(folder)/privkey.pem")
        #expect(added.status == 0, "\(added.output)")
    }

    /// curl to `https://HOST:port/path`, trusting the certificate of that name.
    func curl(_ path: String = "/", host: String = "hello.localhost", _ options: String...) async throws
        -> Server.Result
    {
        try await server.run(
            "/usr/bin/curl",
            [
                "-sS", "--max-time", "180", "--cacert", "\(server.root)/\(host)/fullchain.pem", "--resolve",
                "\(host):\(port):127.0.0.1",
            ] + options + ["https://\(host):\(port)\(path)"])
    }

    /// What openssl says of the certificate that it is shown.
    func serial(_ host: String = "hello.localhost") async throws -> String {
        let shown = try await server.run(
            "/bin/sh",
            [
                "-c",
                "openssl s_client -connect 127.0.0.1:\(port) -servername \(host) </dev/null 2>/dev/null | openssl x509 -noout -serial",
            ])
        return shown.output
    }

    /// Echoes what it is sent, and says how; long answers by `/bytes/N`, streams by `/stream`.
    static let application = #"""
        import os, signal, sys, time
        from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            def body(self):
                if "chunked" not in (self.headers.get("Transfer-Encoding") or ""):
                    return self.rfile.read(int(self.headers.get("Content-Length") or 0))
                parts = []
                while True:
                    size = int(self.rfile.readline(), 16)
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                    if not size: return b"".join(parts)
            def send(self, body, *fields):
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                for name, value in fields: self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD": self.wfile.write(body)
            def answer(self):
                got = self.body()
                if self.path == "/head":
                    return self.send((self.requestline + "\n" + str(self.headers)).encode())
                if self.path.startswith("/bytes/"):
                    return self.send(b"0123456789abcdef" * (int(self.path[7:]) // 16))
                if self.path == "/nothing":
                    self.send_response(204)
                    return self.end_headers()
                if self.path in ("/stream", "/break"):
                    self.send_response(200)
                    self.send_header("Content-Type", "text/event-stream")
                    self.send_header("Transfer-Encoding", "chunked")
                    self.end_headers()
                    for number in range(3):
                        part = b"data: %d\n\n" % number
                        self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                        time.sleep(0.02)
                    if self.path == "/break":
                        self.close_connection = True
                        return
                    return self.wfile.write(b"0\r\n\r\n")
                self.send(got or b"release=" + os.environ["KINTO_RELEASE"].encode())
            do_GET = do_POST = do_PUT = do_HEAD = answer
            def log_message(self, *a): pass
        class Server(ThreadingHTTPServer):
            request_queue_size = 256
        signal.signal(signal.SIGTERM, lambda *a: os._exit(0))
        Server((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
        """#
}
