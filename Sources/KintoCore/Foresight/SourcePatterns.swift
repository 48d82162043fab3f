// SPDX-License-Identifier: Apache-2.0

/// What source code looks like that listens on a port of its own choice, and that reads variables; by the ending of a file.
/// Plain text, no parsing: each pattern stands for one usual way to write it.
enum SourcePatterns {
    struct Language: Sendable {
        let endings: Set<String>
        /// With a `{port}`.
        let ports: [LogPattern]
        /// With a `{variable}`, and no default beside it.
        let reads: [LogPattern]

        init(_ endings: Set<String>, ports: [String] = [], reads: [String] = []) {
            self.endings = endings
            self.ports = ports.map { LogPattern($0) }
            self.reads = reads.map { LogPattern($0) }
        }
    }

    static let languages: [Language] = [
        Language(
            ["js", "mjs", "cjs", "ts", "mts", "cts", "jsx", "tsx"],
            ports: [
                ".listen({port})", ".listen({port},", "serve({ port: {port}", ".listen({ port: {port}",
                "const port = {port}",
                "let port = {port}", "var port = {port}",
            ],
            reads: [
                "process.env.{variable}", "process.env[\"{variable}\"]", "process.env['{variable}']",
                "Deno.env.get(\"{variable}\")", "Bun.env.{variable}",
            ]),
        Language(
            ["py"],
            ports: [
                ".run(port={port}", ".run({text}port={port}", "Server(({text}, {port})",
                "serve({text}port={port}",
                ".listen({port})", ".bind(({text}, {port}))", "^port = {port}",
            ],
            reads: [
                "environ[\"{variable}\"]", "environ['{variable}']", "environ.get(\"{variable}\")",
                "environ.get('{variable}')",
                "getenv(\"{variable}\")", "getenv('{variable}')",
            ]),
        Language(
            ["rb", "ru"],
            ports: [
                "set :port, {port}", "^port {port}", "Port: {port}", ":Port => {port}",
                "TCPServer.new({port}",
            ],
            reads: [
                "ENV[\"{variable}\"]", "ENV['{variable}']", "ENV.fetch(\"{variable}\")",
                "ENV.fetch('{variable}')",
            ]),
        Language(
            ["go"],
            ports: ["\":{port}\"", "\"0.0.0.0:{port}\"", "\"127.0.0.1:{port}\"", "\"localhost:{port}\""],
            reads: ["Getenv(\"{variable}\")"]),
        Language(
            ["rs"],
            ports: [
                "bind(\"0.0.0.0:{port}\"", "bind(\"127.0.0.1:{port}\"", "([0, 0, 0, 0], {port})",
                "([127, 0, 0, 1], {port})",
                ".bind(({text}, {port}))", "\"0.0.0.0:{port}\"",
            ],
            reads: ["env::var(\"{variable}\")", "env::var_os(\"{variable}\")"]),
        Language(
            ["java", "kt", "kts", "scala", "properties"],
            ports: [
                "^server.port={port}", "new ServerSocket({port})", "new InetSocketAddress({port})",
                "InetSocketAddress({text}, {port})",
                ".start({port})", ".listen({port})", "embeddedServer({text}port = {port}",
            ],
            reads: ["System.getenv(\"{variable}\")"]),
        Language(
            ["swift"], ports: ["port: {port})", ".port = {port}"],
            reads: [
                "environment[\"{variable}\"]", "Environment.get(\"{variable}\")", "getenv(\"{variable}\")",
            ]),
        Language(
            ["php"], ports: ["->listen({port})", "Server({text}, {port})"],
            reads: [
                "getenv('{variable}')", "getenv(\"{variable}\")", "$_ENV['{variable}']",
                "$_ENV[\"{variable}\"]",
            ]),
        Language(
            ["cs"],
            ports: [
                "http://*:{port}", "http://0.0.0.0:{port}", "ListenAnyIP({port})", "ListenLocalhost({port})",
            ],
            reads: ["GetEnvironmentVariable(\"{variable}\")"]),
        Language(
            ["ex", "exs"], ports: ["port: {port}"],
            reads: ["System.fetch_env!(\"{variable}\")", "System.get_env(\"{variable}\")"]),
        Language(["c", "cc", "cpp"], ports: ["htons({port})"], reads: ["getenv(\"{variable}\")"]),
        Language(
            ["json"],
            ports: [
                "\"start\": \"{text}-p {port}", "\"start\": \"{text}--port {port}",
                "\"start\": \"{text}--port={port}",
            ]),
    ]

    /// Of a start command.
    static let words: [LogPattern] = [
        "--port {port}", "--port={port}", "-p {port}", "--bind {word}:{port}", "--bind=:{port}",
        "--bind=0.0.0.0:{port}",
        "-b 0.0.0.0:{port}", "-b :{port}", "-S 0.0.0.0:{port}", "-S localhost:{port}", "0.0.0.0:{port}",
    ].map { LogPattern($0) }

    /// Where other programs listen: what connects to them says these.
    static let ofOthers: Set<Int> = [
        25, 53, 80, 443, 465, 587, 1025, 1433, 1521, 2181, 2379, 3306, 4222, 5432, 5672, 6379, 6432, 9042,
        9092, 9200, 11211,
        15672, 27017,
    ]

    /// How code says that it takes the port that it is given.
    static let asksForPort: [[UInt8]] = [
        "env.PORT", "\"PORT\"", "'PORT'", "$PORT", "{PORT", "(PORT)", "%PORT%", ":PORT", "env::PORT",
        "[:port]", "ENV.PORT",
    ].map { Array($0.utf8) }

    private static let given: Set<String> = [
        "PORT", "HOST", "SOURCE_VERSION", "PATH", "HOME", "LANG", "TZ", "USER", "PWD", "SHELL", "TERM",
        "TMPDIR", "TEMP",
        "NODE_ENV", "CI", "DEBUG", "NO_COLOR", "FORCE_COLOR", "HOSTNAME", "RAILS_ENV", "RACK_ENV",
        "HTTP_PROXY",
        "HTTPS_PROXY", "NO_PROXY", "LOG_LEVEL", "RUST_LOG", "RUST_BACKTRACE", "PYTHONPATH",
        "NODE_OPTIONS", "APP_ENV",
        "MIX_ENV", "GOMAXPROCS", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "JEST_WORKER_ID", "VERCEL",
        "NETLIFY",
    ]

    /// What no one has to set: kinto's own, the system's, and switches of tools.
    static func isGiven(_ name: String) -> Bool {
        return given.contains(name) || name.hasPrefix("KINTO_") || name.hasPrefix("npm_")
            || name.hasPrefix("VERCEL_")
            || name.hasPrefix("GITHUB_")
    }
}
