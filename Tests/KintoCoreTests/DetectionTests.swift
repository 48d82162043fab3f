// SPDX-License-Identifier: Apache-2.0
import Foundation
import KintoCore
import TestSupport
import Testing

/// Small trees, and what they are found to be.
struct DetectionTests {
    struct Project: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let files: [String: String]
        let build: String?
        let start: String?
        var cache: [String] = []
        var output = "."
        var requires: [String] = []
        var site: Manifest.Site?
    }

    private static func detect(_ files: [String: String]) async throws -> Detection? {
        try await TemporaryDirectory.with { directory in
            for (path, text) in files {
                let file = "\(directory)/\(path)"
                try FileManager.default.createDirectory(
                    atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
                try text.write(toFile: file, atomically: true, encoding: .utf8)
            }
            return Detection.of(ProjectFiles(directory: directory))
        }
    }

    private static let express =
        #"{"name":"x","scripts":{"start":"node .","build":"tsc"},"dependencies":{"express":"^4"}}"#
    private static let bind = #"--bind "$HOST:$PORT""#
    private static let pip = "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt"
    private static let py = ".venv/bin/python"
    private static let bundle =
        "bundle config set --local path vendor/bundle && bundle config set --local frozen true && bundle install"

    static let projects: [Project] = [
        .init(
            testDescription: "npm with a lock file and a build",
            files: ["package.json": express, "package-lock.json": "{}"],
            build: "npm ci --include=dev && npm run build", start: "npm start"),
        .init(
            testDescription: "pnpm", files: ["package.json": express, "pnpm-lock.yaml": ""],
            build: "pnpm install --frozen-lockfile --prod=false && pnpm run build", start: "pnpm start",
            cache: ["node_modules"]),
        .init(
            testDescription: "yarn", files: ["package.json": express, "yarn.lock": ""],
            build: "yarn install --frozen-lockfile --production=false && yarn run build", start: "yarn start",
            cache: ["node_modules"]),
        .init(
            testDescription: "yarn 2", files: ["package.json": express, "yarn.lock": "", ".yarnrc.yml": ""],
            build: "yarn install --immutable && yarn run build", start: "yarn start", cache: ["node_modules"]),
        .init(
            testDescription: "no lock file, no scripts",
            files: ["package.json": #"{"dependencies":{"a":"1"}}"#, "server.js": ""],
            build: "npm install --include=dev", start: "node server.js", cache: ["node_modules"]),
        .init(
            testDescription: "main of package.json, nothing to install",
            files: ["package.json": #"{"main":"src/it.js"}"#], build: nil, start: "node src/it.js"),
        .init(
            testDescription: "pages made by Vite",
            files: [
                "package.json": #"{"scripts":{"build":"vite build"},"devDependencies":{"vite":"5"}}"#,
                "package-lock.json": "", "index.html": "",
            ], build: "npm ci --include=dev && npm run build",
            start: nil, output: "dist", site: .init(output: ".", fallback: "index.html")),
        .init(
            testDescription: "Flask with gunicorn",
            files: [
                "requirements.txt": "Flask==3\ngunicorn\n",
                "app.py": "from flask import Flask\napp = Flask(__name__)\n",
            ],
            build: pip, start: "\(py) -m gunicorn app:app \(bind)"),
        .init(
            testDescription: "Flask alone",
            files: ["requirements.txt": "flask>=2\n", "wsgi.py": "import flask\nsite = flask.Flask('x')\n"],
            build: pip, start: #"\#(py) -m flask --app wsgi run --host "$HOST" --port "$PORT""#),
        .init(
            testDescription: "a factory",
            files: [
                "requirements.txt": "flask\ngunicorn\n", "app/__init__.py": "def create_app():\n  pass\n",
            ],
            build: pip, start: "\(py) -m gunicorn \"app:create_app()\" \(bind)"),
        .init(
            testDescription: "FastAPI with uv",
            files: [
                "pyproject.toml": "[project]\ndependencies = [\"fastapi[standard]\"]\n", "uv.lock": "",
                "app/main.py": "from fastapi import FastAPI\n\napi: FastAPI = FastAPI(title='x')\n",
            ], build: "uv sync --frozen --no-dev",
            start: #"\#(py) -m uvicorn app.main:api --host "$HOST" --port "$PORT""#),
        .init(
            testDescription: "Django",
            files: [
                "manage.py": "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')",
                "requirements.txt": "Django\ngunicorn\n", "package.json": express,
            ], build: pip, start: "\(py) -m gunicorn shop.wsgi \(bind)"),
        .init(
            testDescription: "a script of Poetry",
            files: ["pyproject.toml": "", "poetry.lock": "", "main.py": ""],
            build: "POETRY_VIRTUALENVS_IN_PROJECT=true poetry install --only main --no-interaction",
            start: "\(py) main.py"),
        .init(
            testDescription: "a script alone", files: ["server.py": ""], build: nil,
            start: "python3 server.py"),
        .init(
            testDescription: "Rails",
            files: [
                "Gemfile": "gem 'rails'", "Gemfile.lock": "", "config.ru": "", "bin/rails": "",
                "config/credentials.yml.enc": "", "app/assets/config/manifest.js": "",
                "package.json": express,
            ],
            build: bundle
                + " && SECRET_KEY_BASE_DUMMY=1 RAILS_ENV=production bundle exec rails assets:precompile",
            start: #"RAILS_ENV=production bundle exec rails server -b "$HOST" -p "$PORT""#,
            cache: ["vendor/bundle"], requires: ["RAILS_MASTER_KEY"]),
        .init(
            testDescription: "Rack with Puma",
            files: ["Gemfile": "gem \"puma\"", "Gemfile.lock": "", "config.ru": ""],
            build: bundle, start: #"bundle exec puma --bind "tcp://$HOST:$PORT""#, cache: ["vendor/bundle"]),
        .init(
            testDescription: "Go",
            files: ["go.mod": "module example.com/x/shop\n\ngo 1.22\n", "main.go": ""],
            build: "go build -o bin/app .", start: "bin/app"),
        .init(
            testDescription: "Go in cmd/", files: ["go.mod": "module example.com/x/shop\n"],
            build: "go build -o bin/app ./cmd/shop", start: "bin/app"),
        .init(
            testDescription: "Rust",
            files: [
                "Cargo.toml": "[package]\nname = \"shop\"\nversion = \"0.1.0\"\n", "Cargo.lock": "",
                "src/main.rs": "",
            ], build: "cargo build --release --locked && mkdir -p dist && cp target/release/shop dist/",
            start: "./shop", cache: ["target"], output: "dist"),
        .init(
            testDescription: "Rust with a binary of another name",
            files: ["Cargo.toml": "[package]\nname = \"shop\"\n[[bin]]\npath = \"x.rs\"\nname = \"shopd\"\n"],
            build: "cargo build --release && mkdir -p dist && cp target/release/shopd dist/",
            start: "./shopd",
            cache: ["target"], output: "dist"),
        .init(
            testDescription: "Swift",
            files: [
                "Package.swift": "let package = Package(targets: [.executableTarget(\n  name: \"App\")])"
            ],
            build: "swift build -c release --product App && mkdir -p dist && cp .build/release/App dist/",
            start: "./App", cache: [".build"], output: "dist"),
        .init(
            testDescription: "Spring with Maven's wrapper",
            files: ["pom.xml": "<groupId>org.springframework.boot</groupId>", "mvnw": ""],
            build: "sh mvnw -B -DskipTests package",
            start: #"java -Dserver.address="$HOST" -Dserver.port="$PORT" -jar target/*.jar"#),
        .init(
            testDescription: "Gradle", files: ["build.gradle.kts": "plugins { java }", "gradlew": ""],
            build: "sh gradlew --no-daemon assemble", start: "java -jar build/libs/*.jar"),
        .init(
            testDescription: "PHP",
            files: ["composer.json": "{}", "public/index.php": "<?php", "package.json": "{}"],
            build: "composer install --no-dev --no-interaction --optimize-autoloader",
            start: #"php -S "$HOST:$PORT" -t public"#, cache: ["vendor"]),
        .init(
            testDescription: "pages", files: ["public/index.html": ""], build: nil,
            start: nil, output: "public", site: .init(output: ".")),
    ]

    @Test(arguments: projects) func knowsWhatIsPlain(_ project: Project) async throws {
        let found = try #require(try await Self.detect(project.files))
        let text = try #require(found.settings)
        // As it is written, it is what a push accepts.
        let manifest = try Manifest.parse(Array(text.utf8), environment: "production", procfile: nil).get()
        #expect(manifest.start == project.start)
        #expect(manifest.static == project.site)
        #expect(manifest.build.command == project.build)
        #expect(manifest.build.cache == project.cache)
        #expect(manifest.build.output == project.output)
        #expect(manifest.requires == project.requires)
        #expect(!found.files.isEmpty)
    }

    @Test func offersNothingForWhatIsNotPlain() async throws {
        #expect(try await Self.detect(["README.md": "x", "src/x.c": ""]) == nil)
        let library = try #require(
            try await Self.detect(["Cargo.toml": "[package]\nname = \"x\"\n", "src/lib.rs": ""]))
        #expect(library.settings == nil)
        #expect(library.words == "Rust (Cargo.toml)")
        let gems = try #require(try await Self.detect(["Gemfile": "gem 'jekyll'", "index.html": ""]))
        #expect(gems.settings?.contains(#""static": { "output": "." }"#) == true)
    }

    /// What stands in a file of the project becomes no command.
    @Test(arguments: [
        ["package.json": #"{"main":"x.js; rm -rf ~"}"#], ["package.json": #"{"main":"../../x.js"}"#],
        ["package.json": #"{"main":"-e=1"}"#], ["package.json": #"{"main":"$(id).js"}"#],
        ["Cargo.toml": "[package]\nname = \"x$(id)\"\n", "src/main.rs": ""], ["package.json": "{nonsense"],
        ["package.json": "[]"],
    ])
    func takesNoCommandFromFiles(_ files: [String: String]) async throws {
        #expect(try await Self.detect(files)?.settings == nil)
    }
}
