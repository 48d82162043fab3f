// SPDX-License-Identifier: Apache-2.0
import Glibc
import KintoCore
import Testing
import Wire

@testable import Runner

/// What is said before a build, of real trees, read from a directory and from a commit.
struct ForesightTests {
    struct Case: Sendable {
        var settings: String
        var files: [String: String]
        /// Codes, each with the beginning of its first evidence after a space, if it has any.
        var expected: [String]
        /// Of a check only.
        var checked: [String] = []
    }

    private static let express = "const express = require('express')\nconst app = express()\n"

    static let cases: [Case] = [
        // Ports.
        Case(
            settings: #"{"start":"node server.js"}"#, files: ["server.js": express + "app.listen(3000)\n"],
            expected: ["port-hard-coded server.js:3: app.listen(3000)"]),
        Case(
            settings: #"{"start":"node server.js"}"#,
            files: ["server.js": express + "app.listen(process.env.PORT || 3000)\n"],
            expected: []),
        Case(
            settings: #"{"start":"node server.js"}"#,
            files: [
                "server.js": "const { PORT } = require('./settings')\nserver.listen(3000)\n",
                "settings.js": "module.exports = { PORT: process.env.PORT }\n",
            ],
            expected: []),
        Case(
            settings: #"{"start":"node server.js","port":8081}"#,
            files: ["server.js": "const PORT = 8081;\napp.listen(PORT, () => {})\n"],
            expected: ["port-hard-coded server.js:1: const PORT = 8081;"]),
        Case(
            settings: #"{"start":"PORT=$PORT node server.js"}"#,
            files: ["server.js": "// app.listen(3000)\nredis.connect(6379)\n"],
            expected: []),
        Case(
            settings: #"{"start":"python3 app.py"}"#,
            files: [
                "app.py":
                    "from flask import Flask\napp = Flask(__name__)\napp.run(host='0.0.0.0', port=5000)\n"
            ],
            expected: ["port-hard-coded app.py:3: app.run(host='0.0.0.0', port=5000)"]),
        Case(
            settings: #"{"start":"python3 app.py"}"#,
            files: ["app.py": "import os\napp.run(port=int(os.environ['PORT']))\n"],
            expected: []),
        Case(
            settings: #"{"start":"gunicorn app:app -b 0.0.0.0:8000"}"#, files: ["app.py": "app = 1\n"],
            expected: ["port-hard-coded kinto.json: start: gunicorn"]),
        Case(
            settings: #"{"start":"uvicorn app:app --port $PORT"}"#,
            files: ["app.py": "uvicorn.run(app, port=8000)\n"], expected: []),
        Case(
            settings: #"{"build":{"command":"go build -o server ."},"start":"./server"}"#,
            files: [
                "main.go":
                    "package main\nvar store = Connect(\":6379\")\nfunc main() { http.ListenAndServe(\":8080\", nil) }\n",
                "main_test.go": "var x = \":9999\"\n",
            ],
            expected: ["port-hard-coded main.go:3: func main()"]),
        Case(
            settings: #"{"build":{"command":"go build -o server ."},"start":"./server"}"#,
            files: [
                "main.go":
                    "package main\nfunc main() { http.ListenAndServe(\":\" + os.Getenv(\"PORT\"), nil) }\n"
            ], expected: []),
        Case(
            settings: #"{"build":{"command":"cargo build"},"start":"target/debug/x"}"#,
            files: ["src/main.rs": "fn main() { TcpListener::bind(\"127.0.0.1:7878\").unwrap(); }\n"],
            expected: ["port-hard-coded src/main.rs:1: fn main()"]),
        Case(
            settings: #"{"start":"ruby app.rb"}"#, files: ["app.rb": "require 'sinatra'\nset :port, 4567\n"],
            expected: ["port-hard-coded app.rb:2: set :port, 4567"]),
        Case(
            settings: #"{"build":{"command":"mvn package"},"start":"java -jar target/app.jar"}"#,
            files: ["src/main/resources/application.properties": "spring.x=y\nserver.port=8080\n"],
            expected: ["port-hard-coded src/main/resources/application.properties:2: server.port=8080"]),
        Case(
            settings: #"{"build":{"command":"mvn package"},"start":"java -jar target/app.jar"}"#,
            files: ["src/main/resources/application.properties": "server.port=${PORT:8080}\n"], expected: []),
        Case(
            settings: #"{"build":{"command":"npm ci"},"start":"npm start"}"#,
            files: ["package.json": "{\n  \"scripts\": {\n    \"start\": \"next start -p 3000\"\n  }\n}\n"],
            expected: ["port-hard-coded package.json:3: \"start\": \"next start -p 3000\""]),
        // What start runs.
        Case(settings: #"{"start":"./server"}"#, files: ["README": "x\n"], expected: ["start-missing"]),
        Case(
            settings: #"{"build":{"command":"make"},"start":"./server"}"#, files: ["Makefile": "x\n"],
            expected: []),
        Case(
            settings: #"{"build":{"command":"npm ci"},"start":"bin/www"}"#, files: ["package.json": "{}\n"],
            expected: []),
        Case(
            settings: #"{"build":{"command":"npm ci --omit=dev"},"start":"node dist/server.js"}"#,
            files: ["package.json": "{}\n"],
            expected: ["start-missing"]),
        Case(
            settings: #"{"build":{"command":"npm ci"},"start":"node dist/server.js"}"#,
            files: ["package.json": "{\"scripts\":{\"postinstall\":\"tsc\"}}\n"], expected: []),
        Case(
            settings: #"{"build":{"command":"npm ci && npm run build"},"start":"node dist/server.js"}"#,
            files: ["package.json": "{}\n"],
            expected: []),
        Case(
            settings: #"{"start":"./run.sh"}"#, files: ["run.sh": "#!/bin/sh\n"],
            expected: ["start-not-marked"]),
        Case(settings: #"{"start":"exec ./run.sh"}"#, files: ["+run.sh": "#!/bin/sh\n"], expected: []),
        Case(
            settings: #"{"start":"node app.js"}"#, files: ["App.js": "x\n"],
            expected: ["start-missing there is App.js"]),
        Case(settings: #"{"start":"node server"}"#, files: ["README": "x\n"], expected: []),
        Case(settings: #"{"start":"node lib/main"}"#, files: ["lib/main.js": "x\n"], expected: []),
        Case(
            settings: #"{"start":"npm run serve"}"#,
            files: ["package.json": "{\"scripts\":{\"start\":\"x\",\"dev\":\"y\"}}\n"],
            expected: ["start-missing scripts: start, dev"]),
        Case(settings: #"{"start":"npm start"}"#, files: ["index.js": "x\n"], expected: ["start-missing"]),
        // What runs when it is due.
        Case(
            settings:
                #"{"start":"sh run","processes":{"nightly":{"command":"./report","schedule":"@daily"},"w":{"command":"node w.js"}}}"#,
            files: ["run": "x\n", "report.sh": "x\n"],
            expected: ["start-missing", "start-missing there is report.sh"]),
        Case(
            settings:
                #"{"start":"sh run","processes":{"nightly":{"command":"./report","schedule":"@daily"}}}"#,
            files: ["run": "x\n", "report": "x\n"], expected: ["start-not-marked"]),
        // What runs once, around the swap.
        Case(
            settings: #"{"start":"sh run","release":{"command":"bin/migrate","after":"sh warm.sh"}}"#,
            files: ["run": "x\n", "bin/Migrate": "x\n"],
            expected: ["start-missing there is bin/Migrate", "start-missing"]),
        Case(
            settings: #"{"root":"api","start":"./server"}"#, files: ["server": "x\n", "api/README": "x\n"],
            expected: ["start-missing"]),
        Case(
            settings: #"{"root":"api","build":{"output":"out"},"start":"./server"}"#,
            files: ["+api/out/server": "x\n"], expected: []),
        // Nothing is sure of these.
        Case(settings: #"{"start":"./a || ./b"}"#, files: ["README": "x\n"], expected: []),
        Case(settings: #"{"start":"cd app && ./server"}"#, files: ["README": "x\n"], expected: []),
        Case(settings: #"{"start":"$SERVER --now"}"#, files: ["README": "x\n"], expected: []),
        Case(settings: #"{"start":"./server 'a b' > log"}"#, files: ["README": "x\n"], expected: []),
        // Variables.
        Case(
            settings: #"{"start":"node server.js","requires":["API_KEY"],"env":{"MODE":"x"}}"#,
            files: [
                "server.js": """
                const a = process.env.API_KEY
                const b = process.env.MODE
                const c = process.env.DATABASE_URL;
                const d = process.env.CACHE_URL || "none"
                if (process.env.TRACING) { }
                const e = process.env.NODE_ENV

                """
            ], expected: [],
            checked: ["variable-unset DATABASE_URL at server.js:3: const c = process.env.DATABASE_URL;"]),
        Case(
            settings: #"{"start":"python3 app.py"}"#,
            files: [
                "app.py":
                    "import os\nx = os.environ['SECRET_KEY']\ny = os.environ.get('OTHER', 'z')\nz = os.getenv(\"THIRD\") or 1\n",
                "tests/test_app.py": "import os\nq = os.environ['TEST_ONLY']\n",
            ], expected: [], checked: ["variable-unset SECRET_KEY at app.py:2: x = os.environ['SECRET_KEY']"]),
        Case(
            settings: #"{"build":{"command":"go build"},"start":"./x"}"#,
            files: [
                "main.go":
                    "func f() {\n\tv := os.Getenv(\"OPTIONAL_ONE\")\n\tif v == \"\" {\n\t}\n\tw := os.Getenv(\"NEEDED_ONE\")\n\tuse(w)\n}\n"
            ],
            expected: [], checked: ["variable-unset NEEDED_ONE at main.go:5: w := os.Getenv(\"NEEDED_ONE\")"]),
    ]

    private func shown(_ warnings: [Warning]) -> [String] {
        warnings.map { warning in warning.evidence.first.map { "\(warning.code) \($0)" } ?? warning.code }
    }

    private func matches(_ found: [String], _ expected: [String]) -> Bool {
        found.count == expected.count && zip(found, expected).allSatisfy { $0.hasPrefix($1) }
    }

    @Test(arguments: cases.indices) func isSaidOfADirectoryAndOfACommit(index: Int) throws {
        let one = ForesightTests.cases[index]
        let fixture = try GitFixture()
        try fixture.git("init", "-q", "-b", "main", "work")
        try fixture.write("work/kinto.json", one.settings)
        for (name, text) in one.files {
            let isProgram = name.hasPrefix("+")
            try fixture.write(
                "work/\(isProgram ? String(name.dropFirst()) : name)", text, mode: isProgram ? 0o755 : 0o644)
        }
        let commit = try fixture.commitAll("all")
        let repository = try GitRepository(opening: fixture.work)
        let manifest = try ManifestReader.read(commit, repository: repository, environment: "production")
            .get()
        let committed = Foresight(manifest, try repository.sourceTree(commit, root: manifest.root))
        let directory = Foresight(
            manifest,
            SourceDirectory.read(manifest.root == "." ? fixture.work : "\(fixture.work)/\(manifest.root)"))
        for foresight in [committed, directory] {
            #expect(
                matches(shown(foresight.warnings), one.expected), "\(one.settings): \(foresight.warnings)")
            let checked = shown(foresight.check(config: nil))
            #expect(matches(checked, one.expected + one.checked), "\(one.settings): \(checked)")
        }
    }

    @Test func theConfigurationCounts() throws {
        let fixture = try GitFixture()
        try fixture.write(
            "a/app.py", "import os\nx = os.environ['DATABASE_URL']\ny = os.environ['API_KEY']\n")
        var manifest = Manifest(start: "python3 app.py")
        manifest.requires = ["DATABASE_URL"]
        let foresight = Foresight(manifest, SourceDirectory.read("\(fixture.root)/a"))
        #expect(
            shown(foresight.check(config: ["API_KEY"]))
                == ["required-unset DATABASE_URL at app.py:2: x = os.environ['DATABASE_URL']"])
        #expect(foresight.check(config: ["API_KEY", "DATABASE_URL"]).isEmpty)
    }

    /// Links that lead out or in circles, a pipe that nobody writes to, binaries, long lines, names that steer a terminal.
    @Test func hostileTreesAreReadWithinLimits() throws {
        let fixture = try GitFixture()
        let root = "\(fixture.root)/work"
        try fixture.git("init", "-q", "-b", "main", "work")
        symlink("..", "\(root)/loop")
        symlink("/etc/passwd", "\(root)/passwd.py")
        mkfifo("\(root)/pipe.py", 0o644)
        try fixture.write("work/long.js", "app.listen(3000);" + String(repeating: "x", count: 100_000))
        try fixture.write("work/large.py", String(repeating: "app.run(port=5000)\n", count: 10_000))
        try Files.replace("\(root)/binary.py", with: (0..<65_536).map { UInt8(truncatingIfNeeded: $0) })
        try fixture.write("work/\u{1B}]0;x.js", "app.listen(3001)\n")
        try fixture.write("work/vendor/lib.js", "app.listen(3002)\n")
        var deep = "work"
        for _ in 0..<40 { deep += "/d" }
        try fixture.write("\(deep)/x.py", "app.run(port=5001)\n")
        let manifest = Manifest(start: "./missing")
        let commit = try fixture.commitAll("hostile")
        let clock = ContinuousClock()
        for tree in [
            SourceDirectory.read(root), try GitRepository(opening: root).sourceTree(commit, root: "."),
        ] {
            #expect(!tree.isWhole && !tree.isRead)
            let time = clock.measure {
                let codes = Foresight(manifest, tree).check(config: nil).map(\.code)
                // That a name is missing is not known of a tree that was not read to its end.
                #expect(codes == ["port-hard-coded", "source-not-read"], "\(codes)")
            }
            #expect(time < .seconds(60))
            let lines = Foresight(manifest, tree).warnings.flatMap(\.lines).map(\.text).joined()
            #expect(
                !lines.contains("\u{1B}") && !lines.contains("5001") && !lines.contains("3002"), "\(lines)")
        }
        var limits = SourceTree.Limits()
        limits.entries = 3
        #expect(!SourceDirectory.read(root, limits: limits).isWhole)
        #expect(try !GitRepository(opening: root).sourceTree(commit, root: ".", limits: limits).isWhole)
        limits = SourceTree.Limits()
        limits.time = .zero
        #expect(try GitRepository(opening: root).sourceTree(commit, root: ".", limits: limits).texts.isEmpty)
    }
}
