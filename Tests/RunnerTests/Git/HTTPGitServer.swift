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

    /// What it does instead of answering as it should.
    enum Trouble: String {
        case none
        /// Sends the first 20,000 bytes of the pack, and no more.
        case stalls
        /// Talks without end before the pack.
        case talks
        /// Lists branches without end.
        case lists
        /// Says that a pack has more objects than anyone has.
        case boasts
    }

    /// - Parameter password: `user:password`; nil: open to all.
    init(root: String, password: String? = nil, trouble: Trouble = .none) throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        let (reading, writing) = (Descriptor(owning: ends[0]), Descriptor(owning: ends[1]))
        let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
        pid = try Spawn(
            path: "/usr/bin/env", arguments: ["env", "python3", "-c", HTTPGitServer.program],
            environment: [
                "PATH=\(path)", "GIT_PROJECT_ROOT=\(root)", "GIT_HTTP_EXPORT_ALL=1",
                "PASSWORD=\(password ?? "")", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory",
                "GIT_CONFIG_VALUE_0=*", "TROUBLE=\(trouble.rawValue)",
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
        import base64, os, struct, subprocess, threading
        def packet(data):
            return b"%04x" % (len(data) + 4) + data
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
                trouble = os.environ["TROUBLE"]
                isPack = path.endswith("/git-upload-pack")
                if trouble == "lists":
                    return self.forever("application/x-git-upload-pack-advertisement",
                        packet(b"# service=git-upload-pack\\n") + b"0000"
                        + packet(b"1" * 40 + b" refs/heads/main\\0side-band-64k ofs-delta\\n"),
                        (b"".join(packet(b"1" * 40 + b" refs/heads/branch-%012d\\n" % (i * 1000 + j))
                            for j in range(1000)) for i in range(1 << 40)))
                if trouble == "talks" and isPack:
                    text = packet(b"\\x02still counting\\n")
                    return self.forever("application/x-git-upload-pack-result", packet(b"NAK\\n"),
                        (text for _ in range(1 << 40)))
                if trouble == "boasts" and isPack:
                    head = b"PACK" + struct.pack(">II", 2, 4000000000)
                    return self.forever("application/x-git-upload-pack-result",
                        packet(b"NAK\\n") + packet(b"\\x01" + head), (packet(b"\\x02.") for _ in range(1 << 40)))
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
                if trouble == "stalls" and isPack:
                    self.wfile.write(rest[:20000])
                    self.wfile.flush()
                    threading.Event().wait()
                self.wfile.write(rest)
            def forever(self, kind, start, rest):
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Connection", "close")
                self.end_headers()
                try:
                    self.wfile.write(start)
                    for part in rest:
                        self.wfile.write(part)
                except OSError:
                    pass
                self.close_connection = True
            do_GET = do_POST = answer
            def log_message(self, *a): pass
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        print(server.server_address[1], flush=True)
        server.serve_forever()
        """
}
