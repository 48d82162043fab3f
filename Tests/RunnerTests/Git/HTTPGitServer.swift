// SPDX-License-Identifier: Apache-2.0
import Glibc
import TestSupport
import Testing
import Wire

@testable import Runner

/// Git's own server for http (git-http-backend(1)) behind a small web server on loopback, which may want a password.
final class HTTPGitServer: Sendable {
    let port: Int
    private let pid: Int32

    /// - Parameter password: `user:password`; nil: open to all.
    init(root: String, password: String? = nil) throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        let (reading, writing) = (Descriptor(owning: ends[0]), Descriptor(owning: ends[1]))
        let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
        pid = try Spawn(
            path: "/usr/bin/env", arguments: ["env", "python3", "-c", HTTPGitServer.program],
            environment: [
                "PATH=\(path)", "GIT_PROJECT_ROOT=\(root)", "GIT_HTTP_EXPORT_ALL=1",
                "PASSWORD=\(password ?? "")", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory",
                "GIT_CONFIG_VALUE_0=*",
            ], standardOutput: writing, newSession: true
        ).start()
        var line: [UInt8] = []
        while line.last != 0x0A { line += try #require(try reading.readExactly(1)) }
        port = try #require(Int(String(decoding: line.dropLast(), as: UTF8.self)))
    }

    deinit {
        kill(pid, SIGKILL)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
    }

    private static let program = """
        import base64, os, subprocess
        from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                wanted = os.environ["PASSWORD"]
                given = self.headers.get("Authorization", "")
                if wanted and given != "Basic " + base64.b64encode(wanted.encode()).decode():
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="git"')
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                path, _, query = self.path.partition("?")
                if self.headers.get("Transfer-Encoding") == "chunked":
                    body = b""
                    while size := int(self.rfile.readline(), 16):
                        body += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                else:
                    body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                around = dict(os.environ, REQUEST_METHOD=self.command, PATH_INFO=path, QUERY_STRING=query,
                    CONTENT_TYPE=self.headers.get("Content-Type", ""), CONTENT_LENGTH=str(len(body)),
                    REMOTE_ADDR="127.0.0.1", HTTP_CONTENT_ENCODING=self.headers.get("Content-Encoding", ""),
                    GIT_PROTOCOL=self.headers.get("Git-Protocol", ""))
                out = subprocess.run(["git", "http-backend"], env=around, input=body, stdout=subprocess.PIPE).stdout
                head, _, rest = out.partition(b"\\r\\n\\r\\n")
                fields = [line.split(": ", 1) for line in head.decode().split("\\r\\n")]
                status = next((int(v.split()[0]) for k, v in fields if k == "Status"), 200)
                self.send_response(status)
                for name, value in fields:
                    if name != "Status":
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(rest)))
                self.end_headers()
                self.wfile.write(rest)
            do_GET = do_POST = answer
            def log_message(self, *a): pass
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        print(server.server_address[1], flush=True)
        server.serve_forever()
        """
}
