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

        /// A package index, packages that only `make test-languages` installs, or a long time.
        var needsMore: Bool {
            files["requirements.txt"]?.contains("flask") == true
                || ["pom.xml", "Cargo.toml", "Package.swift"].contains { files[$0] != nil }
        }

        var isPossible: Bool {
            (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").contains {
                FileManager.default.isExecutableFile(atPath: "\($0)/\(tool)")
            }
        }
    }

    /// Every one of them, also those that need a package index: `make test-languages`, which installs what they need. Else those
    /// whose tools are there.
    private static let isWhole = ProcessInfo.processInfo.environment["KINTO_LANGUAGES"] == "all"

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

    private static let ruby = """
        require "socket"
        require "greeting"
        server = TCPServer.new(ENV["HOST"], ENV["PORT"].to_i)
        loop do
          client = server.accept
          while (line = client.gets) && line != "\\r\\n" do end
          client.write("HTTP/1.1 200 OK\\r\\nContent-Length: #{GREETING.size}\\r\\nConnection: close\\r\\n\\r\\n#{GREETING}")
          client.close
        end
        """
    private static let rust = """
        use std::io::{BufRead, BufReader, Write};
        fn main() {
            let place = format!("{}:{}", std::env::var("HOST").unwrap(), std::env::var("PORT").unwrap());
            for stream in std::net::TcpListener::bind(place).unwrap().incoming() {
                let mut stream = stream.unwrap();
                let lines = BufReader::new(stream.try_clone().unwrap()).lines();
                for line in lines { if line.map(|l| l.is_empty()).unwrap_or(true) { break } }
                let text = "hello from rust";
                let _ = write!(stream, "HTTP/1.1 200 OK\\r\\nContent-Length: {}\\r\\nConnection: close\\r\\n\\r\\n{}", text.len(), text);
            }
        }
        """
    private static let swift = """
        import Glibc
        let port = UInt16(String(cString: getenv("PORT"))) ?? 0
        let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = inet_addr(getenv("HOST"))
        _ = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
        listen(server, 16)
        while true {
            let client = accept(server, nil, nil)
            var buffer = [UInt8](repeating: 0, count: 65536)
            _ = read(client, &buffer, buffer.count)
            let text = "HTTP/1.1 200 OK\\r\\nContent-Length: 16\\r\\nConnection: close\\r\\n\\r\\nhello from swift"
            _ = write(client, text, text.utf8.count)
            close(client)
        }
        """
    private static let java = """
        import com.sun.net.httpserver.HttpServer;
        import java.net.InetSocketAddress;
        public class Main {
            public static void main(String[] words) throws Exception {
                int port = Integer.parseInt(System.getenv("PORT"));
                HttpServer server = HttpServer.create(new InetSocketAddress(System.getenv("HOST"), port), 0);
                server.createContext("/", exchange -> {
                    byte[] text = "hello from java".getBytes();
                    exchange.sendResponseHeaders(200, text.length);
                    exchange.getResponseBody().write(text);
                    exchange.close();
                });
                server.start();
            }
        }
        """
    /// With the plugins that Debian has, of which nothing is fetched.
    private static let maven = """
        <project xmlns="http://maven.apache.org/POM/4.0.0">
          <modelVersion>4.0.0</modelVersion>
          <groupId>shop</groupId><artifactId>shop</artifactId><version>1</version>
          <properties>
            <maven.compiler.release>17</maven.compiler.release>
            <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
          </properties>
          <build><pluginManagement><plugins>
            <plugin><artifactId>maven-compiler-plugin</artifactId><version>3.10.1</version></plugin>
            <plugin><artifactId>maven-resources-plugin</artifactId><version>3.3.0</version></plugin>
            <plugin><artifactId>maven-surefire-plugin</artifactId><version>2.22.3</version></plugin>
            <plugin><artifactId>maven-jar-plugin</artifactId><version>3.3.0</version>
              <configuration><archive><manifest><mainClass>Main</mainClass></manifest></archive></configuration>
            </plugin>
          </plugins></pluginManagement></build>
        </project>
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
        Project(
            testDescription: "ruby with bundler, and a gem of its own", tool: "bundle",
            files: [
                "Gemfile": "gem 'greeting', path: 'vendor/greeting'\n",
                "vendor/greeting/greeting.gemspec":
                    "Gem::Specification.new { |s| s.name = 'greeting'; s.version = '1'; s.summary = 'x'; s.authors = ['x']; s.files = ['lib/greeting.rb'] }\n",
                "vendor/greeting/lib/greeting.rb": "GREETING = 'hello from ruby'\n", "server.rb": ruby,
            ], named: "Ruby"),
        Project(
            testDescription: "php with composer", tool: "composer",
            files: [
                "composer.json": #"{"autoload":{"files":["lib/greeting.php"]}}"#,
                "lib/greeting.php": "<?php function greeting() { return 'hello from php'; }",
                "public/index.php": "<?php require '../vendor/autoload.php'; echo greeting();",
            ], named: "PHP"),
        Project(
            testDescription: "rust", tool: "cargo",
            files: [
                "Cargo.toml": "[package]\nname = \"shop\"\nversion = \"1.0.0\"\nedition = \"2021\"\n",
                "src/main.rs": rust,
            ],
            named: "Rust (Cargo.toml)"),
        Project(
            testDescription: "swift", tool: "swift",
            files: [
                "Package.swift":
                    "// swift-tools-version: 5.9\nimport PackageDescription\nlet package = Package(name: \"shop\", targets: [.executableTarget(name: \"shop\")])\n",
                "Sources/shop/main.swift": swift,
            ], named: "Swift (Package.swift)"),
        Project(
            testDescription: "java with maven", tool: "mvn",
            files: [
                "pom.xml": maven, ".mvn/maven.config": "-o\n-Dmaven.repo.local=/usr/share/maven-repo\n",
                "src/main/java/Main.java": java,
            ], named: "Java"),
        Project(
            testDescription: "python with flask, of PyPI", tool: "python3",
            files: [
                "requirements.txt": "flask\ngunicorn\n",
                "app.py":
                    "from flask import Flask\napp = Flask(__name__)\n@app.get('/')\ndef hello(): return 'hello from flask'\n",
            ], named: "Python with gunicorn"),
    ].filter(isWhole ? { _ in true } : { $0.isPossible && !$0.needsMore })

    /// Where cargo is rustup's: what that installed.
    private static var rustup: String? {
        let variables = ProcessInfo.processInfo.environment
        if let place = variables["RUSTUP_HOME"] { return place }
        let cargo = (variables["PATH"] ?? "").split(separator: ":").first {
            FileManager.default.isExecutableFile(atPath: "\($0)/cargo")
        }
        // ~/.cargo/bin
        guard let cargo, cargo.hasSuffix("/.cargo/bin") else { return nil }
        let place = "\(cargo.dropLast("/.cargo/bin".count))/.rustup"
        return FileManager.default.fileExists(atPath: place) ? place : nil
    }

    @Test(arguments: projects) func fromNothingToLive(_ project: Project) async throws {
        try await Server.with { server in
            try await server.kinto("service", "add", "hello")
            try await server.git("init", "-q", "-b", "main")
            for (name, text) in project.files {
                try FileManager.default.createDirectory(
                    atPath: ("\(server.work)/\(name)" as NSString).deletingLastPathComponent,
                    withIntermediateDirectories: true)
                try server.write(name, text)
            }
            // Where rustup keeps what it installs is nothing that a service's environment tells.
            if project.tool == "cargo", let place = Self.rustup {
                try await server.kinto("config", "hello", "set", "RUSTUP_HOME=\(place)")
            }
            // The push says what it found, with the file.
            let refused = try await server.push("first")
            #expect(refused.status != 0)
            #expect(refused.output.contains("it looks like \(project.named)"), "\(refused.output)")
            #expect(
                refused.output.contains(
                    project.tool == "python3" && project.files["index.html"] != nil
                        ? "\"static\": " : "\"start\": "),
                "\(refused.output)")
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
            func run(_ words: [String], _ command: String = "init") throws -> (Int32, String) {
                let done = try Command.runHere(kinto, [command] + words)
                return (done.status, done.output)
            }
            // Nobody writes to it.
            try #require(mkfifo("\(directory)/package.json", 0o600) == 0)
            let nothing = try run([directory])
            #expect(nothing.0 == 3 && nothing.1.contains("nothing that is known"), "\(nothing)")
            try "x".write(toFile: "\(directory)/server.py", atomically: true, encoding: .utf8)
            let shown = try run([directory, "--print"])
            #expect(shown.0 == 0 && shown.1.hasPrefix("{\n"), "\(shown)")
            #expect(!FileManager.default.fileExists(atPath: "\(directory)/kinto.json"))
            try FileManager.default.createSymbolicLink(
                atPath: "\(directory)/kinto.json", withDestinationPath: "elsewhere")
            #expect(try run([directory]).0 == 3)
            let link = try run([directory], "check")
            #expect(link.0 == 2 && link.1.contains("kinto.json is a symbolic link"), "\(link)")
            #expect(!FileManager.default.fileExists(atPath: "\(directory)/elsewhere"))
            try FileManager.default.removeItem(atPath: "\(directory)/kinto.json")
            try "web: x".write(toFile: "\(directory)/Procfile", atomically: true, encoding: .utf8)
            let procfile = try run([directory])
            #expect(procfile.0 == 3 && procfile.1.contains("Procfile, which kinto reads"), "\(procfile)")
            #expect(try run(["\(directory)/nowhere"]).0 == 3)

            // A check says of a file that is there what a push says.
            let settings = "\(directory)/kinto.json"
            func check(_ words: String, _ place: String = directory) throws {
                let checked = try run([place], "check")
                #expect(checked.0 == 2 && checked.1.contains(words), "\(words): \(checked)")
                #expect(!checked.1.contains("is not there"), "\(checked)")
                try? FileManager.default.removeItem(atPath: settings)
            }
            try FileManager.default.createDirectory(atPath: settings, withIntermediateDirectories: false)
            try check("kinto.json is a directory, not a file")
            try #require(mkfifo(settings, 0o600) == 0)
            try check("kinto.json is not a plain file")
            let long = #"{"start":"x"}"# + String(repeating: " ", count: 256 << 10)
            try long.write(toFile: settings, atomically: true, encoding: .utf8)
            try check("kinto.json has \(long.utf8.count) bytes; at most 262144 are read")
            try "{}".write(toFile: settings, atomically: true, encoding: .utf8)
            try check("kinto.json is not a directory: name the one that kinto.json lies in", settings)
            try check("nowhere is not a directory", "\(directory)/nowhere")
            try #"{"start":"x","root":"nosuch"}"#.write(toFile: settings, atomically: true, encoding: .utf8)
            let root = try run([directory], "check")
            #expect(root.1.contains("root names 'nosuch', and there is no such directory"), "\(root)")
            #expect(!root.1.contains("repository is large"), "\(root)")
        }
    }
}
