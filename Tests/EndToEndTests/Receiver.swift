// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport

/// Notes what it is sent, and answers as a file says: a status, `429 5` with Retry-After, `hang`, or `older`, which knows
/// nothing below `/rest/api`.
final class Receiver {
    let port: UInt16
    private let server: Server
    private let name: String
    private let task: Task<Void, Never>

    init(_ server: Server, _ name: String) async throws {
        self.server = server
        self.name = name
        port = try FreePort.take()
        try server.write(
            "receiver.py",
            """
            import http.server, json, sys, time
            place = sys.argv[2]
            class Handler(http.server.BaseHTTPRequestHandler):
                def do_POST(self):
                    body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                    answer = open(place + ".answer").read().strip()
                    if answer == "hang": time.sleep(60)
                    if answer == "older": answer = "404" if "/rest/api/" in self.path else "201"
                    with open(place + ".seen", "a") as f:
                        f.write(json.dumps({"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()},
                                            "body": body, "answer": answer, "at": time.time()}) + "\\n")
                    words = answer.split()
                    self.send_response(int(words[0]) if words[0].isdigit() else 200)
                    if len(words) > 1: self.send_header("Retry-After", words[1])
                    self.end_headers()
                def log_message(self, *_): pass
            s = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
            s.daemon_threads = True
            open(place + ".ready", "w").close()
            import os, threading
            parent = os.getppid()
            threading.Thread(target=s.serve_forever, daemon=True).start()
            while os.getppid() == parent and not os.path.exists(place + ".end"): time.sleep(0.1)
            """)
        try "201".write(toFile: "\(server.root)/\(name).answer", atomically: true, encoding: .utf8)
        let (port, place) = (port, "\(server.root)/\(name)")
        task = Task {
            _ = try? await server.run(
                "/usr/bin/python3", ["\(server.work)/receiver.py", "\(port)", place])
        }
        try await server.until { FileManager.default.fileExists(atPath: "\(place).ready") }
    }

    func answer(_ text: String) throws {
        try text.write(toFile: "\(server.root)/\(name).answer", atomically: true, encoding: .utf8)
    }

    struct Seen: Decodable {
        let path: String
        let headers: [String: String]
        let body: String
        let answer: String
        /// Seconds since 1970.
        let at: Double

        var fields: [String: Any] {
            (try? JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any]) ?? [:]
        }
    }

    /// Of those that were answered well.
    func seen() -> [Seen] { asked().filter { $0.answer == "201" } }

    func asked() -> [Seen] {
        let text = (try? String(contentsOfFile: "\(server.root)/\(name).seen", encoding: .utf8)) ?? ""
        return text.split(separator: "\n").compactMap {
            try? JSONDecoder().decode(Seen.self, from: Data($0.utf8))
        }
    }

    func end() async {
        _ = FileManager.default.createFile(atPath: "\(server.root)/\(name).end", contents: nil)
        await task.value
    }
}
