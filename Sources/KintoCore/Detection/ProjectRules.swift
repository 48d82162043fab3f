// SPDX-License-Identifier: Apache-2.0

/// The kinds of projects that are known, in the order of asking: what brings a package.json along for its pages comes before
/// Node.js.
enum ProjectRules {
    static let all = [ruby, django, laravel, node, python, go, rust, swift, maven, gradle, php, site]

    // MARK: Ruby

    private static let ruby = ProjectRule(
        name: "Ruby", marks: ["Gemfile", "config.ru"],
        facts: [.init("script", .file(["app.rb", "server.rb", "main.rb"]))],
        steps: [
            [
                .init(
                    when: [.file("Gemfile.lock")],
                    command:
                        "bundle config set --local path vendor/bundle && bundle config set --local frozen true && bundle install",
                    cache: ["vendor/bundle"]),
                .init(
                    when: [.file("Gemfile")],
                    command: "bundle config set --local path vendor/bundle && bundle install",
                    cache: ["vendor/bundle"]),
            ],
            [
                .init(
                    when: [.file("bin/rails"), .file("app/assets/config/manifest.js")],
                    command:
                        "SECRET_KEY_BASE_DUMMY=1 RAILS_ENV=production bundle exec rails assets:precompile")
            ],
        ],
        starts: [
            .init(
                name: "Rails", when: [.file("bin/rails"), .file("config/credentials.yml.enc")],
                command: "RAILS_ENV=production bundle exec rails server -b \"$HOST\" -p \"$PORT\"",
                requires: ["RAILS_MASTER_KEY"], notes: [rails]),
            .init(
                name: "Rails", when: [.file("bin/rails")],
                command: "RAILS_ENV=production bundle exec rails server -b \"$HOST\" -p \"$PORT\"",
                requires: ["SECRET_KEY_BASE"], notes: [rails]),
            .init(
                name: "Puma", when: [.file("config.ru"), .mentions(["Gemfile"], "puma")],
                command: "bundle exec puma --bind \"tcp://$HOST:$PORT\""),
            .init(
                name: "Rack", when: [.file("config.ru"), .file("Gemfile")],
                command: "bundle exec rackup --host \"$HOST\" --port \"$PORT\""),
            .init(
                name: "Rack", when: [.file("config.ru")], command: "rackup --host \"$HOST\" --port \"$PORT\""),
            .init(
                name: "Sinatra", when: [.mentions(["Gemfile"], "sinatra"), .known("script")],
                command: "bundle exec ruby {script} -o \"$HOST\" -p \"$PORT\""),
            .init(
                when: [.known("script"), .file("Gemfile")], command: "bundle exec ruby {script}",
                notes: ["It listens on ENV[\"HOST\"] and ENV[\"PORT\"]."]),
        ])
    private static let rails =
        "\"release\": { \"command\": \"RAILS_ENV=production bundle exec rails db:migrate\" } runs migrations before each release."

    // MARK: Go, Rust, Swift

    private static let go = ProjectRule(
        name: "Go", marks: ["go.mod"],
        facts: [
            .init("module", .pattern(["go.mod"], #"^module\s+(?:\S*/)?([A-Za-z0-9_.-]+)\s*$"#)),
            .init("main", .file(["main.go"])),
        ],
        steps: [
            [
                .init(when: [.known("main")], command: "go build -o bin/app ."),
                .init(when: [.file("cmd/server/main.go")], command: "go build -o bin/app ./cmd/server"),
                .init(when: [.file("cmd/web/main.go")], command: "go build -o bin/app ./cmd/web"),
                .init(when: [.file("cmd/api/main.go")], command: "go build -o bin/app ./cmd/api"),
                .init(when: [.known("module")], command: "go build -o bin/app ./cmd/{module}"),
            ]
        ],
        starts: [.init(command: "bin/app")])

    private static let rust = ProjectRule(
        name: "Rust", marks: ["Cargo.toml"],
        facts: [
            .init("name", .pattern(["Cargo.toml"], #"\[\[bin\]\][^\[]*?^\s*name\s*=\s*"([A-Za-z0-9_-]+)""#)),
            .init(
                "package", .pattern(["Cargo.toml"], #"\[package\][^\[]*?^\s*name\s*=\s*"([A-Za-z0-9_-]+)""#)),
        ],
        steps: [
            [
                .init(
                    when: [.file("Cargo.lock")], command: "cargo build --release --locked", cache: ["target"]),
                .init(command: "cargo build --release", cache: ["target"]),
            ],
            [
                .init(command: "mkdir -p dist && cp target/release/{name} dist/", output: "dist"),
                .init(command: "mkdir -p dist && cp target/release/{package} dist/", output: "dist"),
            ],
        ],
        starts: [
            .init(when: [.known("name")], command: "./{name}", notes: [beside]),
            .init(when: [.file("src/main.rs")], command: "./{package}", notes: [beside]),
        ])

    private static let swift = ProjectRule(
        name: "Swift", marks: ["Package.swift"],
        facts: [
            .init("name", .pattern(["Package.swift"], #"\.executable\(\s*name:\s*"([A-Za-z0-9_.-]+)""#)),
            .init(
                "name", .pattern(["Package.swift"], #"\.executableTarget\(\s*name:\s*"([A-Za-z0-9_.-]+)""#)),
        ],
        steps: [
            [.init(command: "swift build -c release --product {name}", cache: [".build"])],
            [
                .init(
                    when: [.mentions(["Package.swift"], "Vapor"), .file("Public/.gitkeep")],
                    command: "mkdir -p dist && cp -r .build/release/{name} Public dist/", output: "dist"),
                .init(command: "mkdir -p dist && cp .build/release/{name} dist/", output: "dist"),
            ],
        ],
        starts: [
            .init(
                name: "Vapor", when: [.mentions(["Package.swift"], "Vapor")],
                command: "./{name} serve --env production --hostname \"$HOST\" --port \"$PORT\"",
                notes: [beside]),
            .init(command: "./{name}", notes: [beside]),
        ])
    private static let beside =
        "What it reads at run time beside itself (pages, resources) has to be copied to dist, too."

    // MARK: Java

    private static let maven = ProjectRule(
        name: "Java", marks: ["pom.xml"],
        steps: [
            [
                .init(name: "Maven", when: [.file("mvnw")], command: "sh mvnw -B -DskipTests package"),
                .init(name: "Maven", command: "mvn -B -DskipTests package"),
            ]
        ], starts: java("pom.xml", "target/*.jar", "target/quarkus-app/quarkus-run.jar"))

    private static let gradle = ProjectRule(
        name: "Java", marks: ["build.gradle", "build.gradle.kts"],
        facts: [.init("file", .file(["build.gradle", "build.gradle.kts"]))],
        steps: [
            [
                .init(
                    name: "Gradle",
                    when: [.file("gradlew"), .mentions(gradleFiles, "org.springframework.boot")],
                    command: "sh gradlew --no-daemon bootJar"),
                .init(name: "Gradle", when: [.file("gradlew")], command: "sh gradlew --no-daemon assemble"),
                .init(
                    name: "Gradle", when: [.mentions(gradleFiles, "org.springframework.boot")],
                    command: "gradle --no-daemon bootJar"),
                .init(name: "Gradle", command: "gradle --no-daemon assemble"),
            ]
        ],
        starts: java("build.gradle", "build/libs/*.jar", "build/quarkus-app/quarkus-run.jar")
            + java("build.gradle.kts", "build/libs/*.jar", "build/quarkus-app/quarkus-run.jar"))
    private static let gradleFiles = ["build.gradle", "build.gradle.kts"]

    private static func java(_ file: String, _ jar: String, _ quarkus: String) -> [ProjectRule.Choice] {
        [
            .init(
                name: "Spring Boot", when: [.mentions([file], "org.springframework.boot")],
                command: "java -Dserver.address=\"$HOST\" -Dserver.port=\"$PORT\" -jar \(jar)"),
            .init(
                name: "Quarkus", when: [.mentions([file], "io.quarkus")],
                command:
                    "java -Dquarkus.http.host=\"$HOST\" -Dquarkus.http.port=\"$PORT\" -jar \(quarkus)"),
            .init(when: [.file(file)], command: "java -jar \(jar)"),
        ]
    }

    // MARK: PHP, pages

    private static let composer = ProjectRule.Choice(
        name: "Composer", when: [.file("composer.json")],
        command: "composer install --no-dev --no-interaction --optimize-autoloader", cache: ["vendor"])
    private static let laravel = ProjectRule(
        name: "PHP", marks: ["artisan"], steps: [[composer]],
        starts: [
            .init(
                name: "Laravel",
                command:
                    "cd public && exec php -S \"$HOST:$PORT\" ../vendor/laravel/framework/src/Illuminate/Foundation/resources/server.php",
                requires: ["APP_KEY"], notes: [phpServer])
        ], env: [("APP_ENV", "production"), ("PHP_CLI_SERVER_WORKERS", "4")])
    private static let php = ProjectRule(
        name: "PHP", marks: ["composer.json", "index.php", "public/index.php"], steps: [[composer]],
        starts: [
            .init(
                when: [.file("public/index.php")], command: "php -S \"$HOST:$PORT\" -t public",
                notes: [phpServer]),
            .init(when: [.file("index.php")], command: "php -S \"$HOST:$PORT\"", notes: [phpServer]),
        ], env: [("PHP_CLI_SERVER_WORKERS", "4")])
    private static let phpServer =
        "PHP's own server is for small sites: FrankenPHP or RoadRunner are for large ones."

    private static let site = ProjectRule(
        name: "Site", marks: ["index.html", "public/index.html", "dist/index.html"],
        starts: [
            .init(
                when: [.file("index.html")], site: ".",
                notes: ["All files of the repository are served, but for those whose names begin with a dot."]
            ),
            .init(when: [.file("public/index.html")], site: "public"), .init(site: "dist"),
        ])
}
