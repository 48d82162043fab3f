// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// Projects without settings, from `kinto init` to live, with the tools that this machine has.
@Suite(.timeLimit(.minutes(20)))
struct InitTests {
    struct Project: Sendable, CustomTestStringConvertible {
        let testDescription: String
        /// Without it this machine cannot build or run it.
        let tool: String
        let files: [String: String]
        let named: String

        var isPossible: Bool {
            (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").contains {
                FileManager.default.isExecutableFile(atPath: "\($0)/\(tool)")
            }
        }
    }

    private static let node = """
        const http = require('http')
        const text = require('fs').readFileSync('built.txt', 'utf8')
        http.createServer((q, s) => s.end(text + process.env.NODE_ENV))
          .listen(process.env.PORT, process.env.HOST)
        """
    private static let python = """
        import os, sys
        from http.server import BaseHTTPRequestHandler, HTTPServer
        class H(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200); self.end_headers()
                self.wfile.write(b"hello from a venv" if sys.prefix != sys.base_prefix else b"no venv")
        HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), H).serve_forever()
        """
    private static let go = """
        package main
        import ("fmt"; "net/http"; "os")
        func main() {
            http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello from go") })
            http.ListenAndServe(os.Getenv("HOST") + ":" + os.Getenv("PORT"), nil)
        }
        """

    static let projects = [
        Project(
            testDescription: "pages", tool: "python3", files: ["index.html": "hello from pages"],
            named: "Site (index.html)"),
        Project(
            testDescription: "python with pip", tool: "python3",
            files: ["requirements.txt": "# nothing\n", "app.py": python], named: "Python with pip"),
        Project(
            testDescription: "node with npm", tool: "npm",
            files: [
                "package.json":
                    #"{"name":"x","scripts":{"start":"node server.js","build":"echo -n 'hello from ' > built.txt"}}"#,
                "server.js": node,
            ], named: "Node.js (package.json)"),
        Project(
            testDescription: "go", tool: "go", files: ["go.mod": "module example.com/shop\n", "main.go": go],
            named: "Go (go.mod)"),
    ].filter(\.isPossible)

    @Test(arguments: projects) func fromNothingToLive(_ project: Project) async throws {
        try await Server.with { server in
            try await server.kinto("service", "add", "hello")
            try await server.git("init", "-q", "-b", "main")
            for (name, text) in project.files { try server.write(name, text) }
            // The push says what it found, with the file.
            let refused = try await server.push("first")
            #expect(refused.status != 0)
            #expect(refused.output.contains("it looks like \(project.named)"), "\(refused.output)")
            #expect(refused.output.contains("\"start\": "), "\(refused.output)")
            #expect(refused.output.contains("kinto init"))
            #expect(try await server.releases("hello").isEmpty)
            let wrote = try await server.run("\(server.bin)/kinto", ["init", server.work])
            #expect(wrote.status == 0 && wrote.output.contains(project.named), "\(wrote.output)")
            let file = try String(contentsOfFile: "\(server.work)/kinto.json", encoding: .utf8)
            #expect(wrote.output.contains(file))
            let pushed = try await server.push("settings")
            #expect(pushed.status == 0 && pushed.output.contains("is live"), "\(pushed.output)")
            let body = try await server.text("hello.localhost")
            #expect(body.hasPrefix("hello from "), "\(body)")
        }
    }

    @Test func overwritesNothing() async throws {
        try await TemporaryDirectory.with { directory in
            let kinto = "\(try Products.directory())/kinto"
            func run(_ words: [String]) throws -> (Int32, String) {
                let process = Process()
                process.executableURL = URL(fileURLWithPath: kinto)
                process.arguments = ["init"] + words
                let pipe = Pipe()
                process.standardOutput = pipe
                process.standardError = pipe
                try process.run()
                let data = pipe.fileHandleForReading.readDataToEndOfFile()
                process.waitUntilExit()
                return (process.terminationStatus, String(decoding: data, as: UTF8.self))
            }
            let nothing = try run([directory])
            #expect(nothing.0 == 3 && nothing.1.contains("nothing that is known"), "\(nothing)")
            try "x".write(toFile: "\(directory)/server.py", atomically: true, encoding: .utf8)
            let shown = try run([directory, "--print"])
            #expect(shown.0 == 0 && shown.1.hasPrefix("{\n"), "\(shown)")
            #expect(!FileManager.default.fileExists(atPath: "\(directory)/kinto.json"))
            try FileManager.default.createSymbolicLink(
                atPath: "\(directory)/kinto.json", withDestinationPath: "elsewhere")
            #expect(try run([directory]).0 == 3)
            #expect(!FileManager.default.fileExists(atPath: "\(directory)/elsewhere"))
            try FileManager.default.removeItem(atPath: "\(directory)/kinto.json")
            try "web: x".write(toFile: "\(directory)/Procfile", atomically: true, encoding: .utf8)
            let procfile = try run([directory])
            #expect(procfile.0 == 3 && procfile.1.contains("Procfile, which kinto reads"), "\(procfile)")
            #expect(try run(["\(directory)/nowhere"]).0 == 3)
        }
    }
}
