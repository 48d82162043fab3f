// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// Places that mean no good, or are not well, beside one that listens.
@Suite(.timeLimit(.minutes(20)))
struct HostileReceiverTests {
    /// Answers by path, and notes each request in a file.
    private static let script = """
        import os, socket, sys, threading, time
        port, place = int(sys.argv[1]), sys.argv[2]
        head = b"HTTP/1.1 200 OK\\r\\nContent-Type: text/plain\\r\\n"
        def serve(c):
            try:
                request = b""
                while b"\\r\\n\\r\\n" not in request: request += c.recv(65536) or exit()
                path = request.split()[1].decode()
                with open(place + ".seen", "a") as f: f.write(path + "\\n")
                if path == "/redirect":
                    c.sendall(b"HTTP/1.1 307 Temporary Redirect\\r\\nLocation: http://127.0.0.1:%d/inside\\r\\nContent-Length: 0\\r\\n\\r\\n" % port)
                elif path == "/hangup": pass
                elif path == "/half": c.sendall(head + b"Content-Length: 1000\\r\\n\\r\\nhalf")
                elif path == "/huge":
                    c.sendall(head + b"Content-Length: 99999999999\\r\\n\\r\\n")
                    while True: c.sendall(b"x" * 65536)
                elif path == "/drip":
                    c.sendall(head + b"Content-Length: 99999999999\\r\\n\\r\\n")
                    while True:
                        c.sendall(b"x")
                        time.sleep(0.1)
                elif path == "/headers":
                    c.sendall(b"HTTP/1.1 200 OK\\r\\n")
                    while True: c.sendall(b"X-More: " + b"y" * 1000 + b"\\r\\n")
                elif path == "/garbage": c.sendall(os.urandom(4096))
                elif path == "/silent": time.sleep(600)
                else: c.sendall(head + b"Content-Length: 0\\r\\n\\r\\n")
            except Exception: pass
            finally: c.close()
        s = socket.create_server(("127.0.0.1", port), backlog=50)
        def accept():
            while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
        threading.Thread(target=accept, daemon=True).start()
        open(place + ".ready", "w").close()
        parent = os.getppid()
        while os.getppid() == parent and not os.path.exists(place + ".end"): time.sleep(0.1)
        os._exit(0)
        """

    @Test func noneOfThemDelaysLosesOrRepeatsWhatTheOthersAreTold() async throws {
        try await Server.with { server in
            try await server.setUp(#"{"start":"exit 7","probe":{"deadline":"5s"}}"#)
            let port = try FreePort.take()
            try server.write("receiver.py", Self.script)
            let task = Task {
                _ = try? await server.run(
                    "/usr/bin/python3", ["\(server.work)/receiver.py", "\(port)", "\(server.root)/receiver"])
            }
            try await server.until { FileManager.default.fileExists(atPath: "\(server.root)/receiver.ready") }
            let here = "http://127.0.0.1:\(port)"
            let places = [
                "\(here)/silent", "\(here)/drip", "\(here)/huge", "\(here)/half", "\(here)/headers",
                "\(here)/redirect", "\(here)/hangup", "\(here)/garbage",
                // No name server is asked for such a name.
                "http://\(String(repeating: "x", count: 64)).invalid/",
                // kinto itself, and one where nobody listens.
                "http://127.0.0.1:\(server.listen)/hooks/hello", "http://127.0.0.1:\(try FreePort.take())/",
                "\(here)/good",
            ]
            for place in places { try await server.kinto("report", "add", "slack", "--url", place) }
            try await server.kinto(
                "report", "add", "webhook", "--url", "http://127.0.0.1:\(server.listen)/hooks/hello")
            let mails = try FreePort.take()
            try await server.kinto(
                "report", "add", "mail", "--url", "smtp://127.0.0.1:\(port)", "--from", "a@example.com",
                "--to",
                "b@example.com")
            try await server.kinto(
                "report", "add", "mail", "--url", "smtp://127.0.0.1:\(mails)", "--from", "a@example.com",
                "--to",
                "b@example.com")
            try await server.push("fails")
            func seen() -> [String] {
                ((try? String(contentsOfFile: "\(server.root)/receiver.seen", encoding: .utf8)) ?? "")
                    .split(separator: "\n").map(String.init)
            }
            try await server.until { seen().contains("/good") }
            // Those that answered with 200 before they went wrong know it; the others are tried again.
            func list() async throws -> [[String: Any]] {
                try await server.json("report", "list", "--json") as? [[String: Any]] ?? []
            }
            try await server.until {
                let list = try await list()
                return list.indices.allSatisfy {
                    [1, 2, 3, 4, 11, 13].contains($0) || list[$0]["problem"] is String
                }
            }
            // The slow one's ten seconds.
            try await server.until { seen().filter { $0 == "/silent" }.count >= 2 }
            let all = try await list()
            for index in [1, 2, 3, 4, 11] { #expect(!(all[index]["problem"] is String), "\(places[index])") }
            for path in ["/drip", "/huge", "/half", "/headers", "/good"] {
                #expect(seen().filter { $0 == path }.count == 1, "\(path)")
            }
            #expect(!seen().contains("/inside"))
            #expect((all[5]["problem"] as? String)?.contains("answered 307") == true)
            #expect(try await server.releases("hello").count == 1)
            #expect(try await server.kinto("status").status == 0)
            _ = FileManager.default.createFile(atPath: "\(server.root)/receiver.end", contents: nil)
            await task.value
        }
    }
}
