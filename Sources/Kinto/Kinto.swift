// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Control
internal import Foundation
internal import Glibc
internal import KintoCore
internal import Runner
internal import Wire

/// The command line. Usage errors end with 2, as the documentation says.
@main
struct Kinto: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kinto", abstract: "git push, and the new version is live, with no request dropped.",
        discussion: """
            EXAMPLES:
              kinto serve                    start the server and the proxy
              kinto service add hello        register a service; prints the git remote
              git push kinto main            deploy it
              kinto releases hello           what was deployed
              kinto rollback hello           back to the release before
            """, version: Kinto.version,
        subcommands: [
            Serve.self, ServiceCommand.self, EnvironmentCommand.self, Deploy.self, Promote.self, Status.self,
            Top.self,
            Releases.self,
            Logs.self,
            Rollback.self, Abort.self,
            Suspend.self, Resume.self, Pause.self, MaintenanceCommand.self, Scale.self, PS.self,
            RunCommand.self, CronCommand.self, Shell.self, ProxyCommand.self,
            Config.self, Diff.self, Open.self, SecretKeyCommand.self, CertificateCommand.self, Why.self,
            Init.self, Check.self, Doctor.self, Deliveries.self, ReportCommand.self, Token.self,
            UserCommand.self, AuditCommand.self, Backup.self,
            Restore.self,
            Prune.self, Pin.self, Unpin.self, Completions.self,
        ])

    static let version = "0.1.0"

    static func main() async {
        let arguments = Array(CommandLine.arguments.dropFirst())
        switch arguments.first {
        case "proxy" where arguments.dropFirst().first?.hasPrefix("--socket") == true: runtime(arguments)
        case "supervise", "hook": runtime(arguments)
        case "fetch": Glibc.exit(FetchMain.run())
        default: break
        }
        do {
            var command = try Kinto.parseAsRoot(arguments)
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let failure as Failure {
            Output.trouble(StorageExit.code(failure) == nil ? failure.message : failure.description)
            for line in failure.evidence { Output.error("       \(line)\n") }
            for hint in failure.hints { Output.error("       \(hint.line)\n") }
            let refused = [
                "home-in-use", "proxy-start", "proxy-replace", "address-taken", "address-unusable",
                "sandbox-unavailable", "unknown-user", "user-needs-root", "user-no-access",
                "secret-key-missing", "secret-key-wrong", "secret-key-unusable", "passphrase-wrong",
            ]
            Glibc.exit(StorageExit.code(failure) ?? (refused.contains(failure.code) ? 3 : 2))
        } catch let code as ExitCode {
            Glibc.exit(code.rawValue)
        } catch {
            let code = Kinto.exitCode(for: error)
            let text = Kinto.fullMessage(for: error) + "\n"
            if code == .success { Output.write(Array(text.utf8)) } else { Output.error(text) }
            Glibc.exit(code == .success ? 0 : code == .validationFailure ? 2 : 1)
        }
    }

    /// The small executable that lies beside this one.
    static var runtimePath: String {
        URL(fileURLWithPath: executablePath).deletingLastPathComponent().path + "/kinto-runtime"
    }
    static var executablePath: String {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
            ?? CommandLine.arguments[0]
    }

    private static func runtime(_ arguments: [String]) -> Never {
        var pointers = (["kinto-runtime"] + arguments).map { strdup($0) }
        pointers.append(nil)
        execv(runtimePath, pointers)
        Output.trouble("\(runtimePath) cannot be started: \(String(cString: strerror(errno)))")
        Glibc.exit(3)
    }
}

struct GlobalOptions: ParsableArguments {
    @Option(help: "The state directory (KINTO_HOME).") var home: String?
    @Option(
        name: [.customShort("e"), .customLong("env"), .customLong("environment")],
        help: ArgumentHelp("The environment; without: production.", valueName: "env"))
    var chosenEnvironment: String?
    @Flag(help: "Print facts as JSON.") var json = false
    @Flag(help: "Print only what matters.") var quiet = false

    var directory: Home { GlobalOptions.directory(home) }

    static func client(_ home: String?) -> ControlClient { ControlClient(directory(home)) }

    private static func directory(_ home: String?) -> Home {
        let given = home ?? ProcessInfo.processInfo.environment["KINTO_HOME"]
        let path = given ?? (getuid() == 0 ? "/var/lib/kinto" : NSHomeDirectory() + "/.local/share/kinto")
        return Home(path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path)
    }

    /// What is not asked for is production.
    var env: String { chosenEnvironment ?? "production" }

    /// What names a service in a command that is shown.
    func words(_ service: String) -> String { GlobalOptions.words(service, env) }

    /// What names an environment of a service in a command: `hello`, `hello -e staging`.
    static func words(_ service: String, _ environment: String) -> String {
        environment == "production" ? service : "\(service) -e \(environment)"
    }

    var client: ControlClient { ControlClient(directory) }
}

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the server; starts the proxy if none runs.")
    @OptionGroup var options: GlobalOptions
    @Option(help: "Webhooks and API.") var listen = "127.0.0.1:7780"
    @Option(
        help: "How forges and people reach that, like https://kinto.example.com: for links and hook URLs.")
    var publicUrl: String?
    @Option(
        help:
            "A domain whose names all lead here (*.apps.example.com): every environment is NAME.DOMAIN there, beside NAME.localhost."
    )
    var domain: String?
    @Option(help: "The proxy.") var proxyListen = "127.0.0.1:8080"
    @Option(help: "The proxy over TLS, like 0.0.0.0:443; see docs/tls.md.") var proxyTlsListen: String?
    @Flag(help: "Serve without TLS also where there is a certificate.") var noHttpsRedirect = false
    @Option(
        help: ArgumentHelp(
            "A bound of the proxy, like idle-time=75s or address-connections=none; may be repeated.",
            discussion: "Names: \(ProxyLimits.names.joined(separator: ", ")). See docs/proxy.md.",
            valueName: "name=value"))
    var proxyLimit: [String] = []
    @Option(
        help: ArgumentHelp(
            "A limit of fetches, like total-time=30m or bytes=2GiB; may be repeated.",
            discussion: "Names: \(FetchLimits.names.joined(separator: ", ")). See docs/repositories.md.",
            valueName: "name=value"))
    var fetchLimit: [String] = []
    @OptionGroup(title: "Builds and services (docs/containment.md)") var containment: ContainmentArguments
    @Option(help: "How many releases are built at once; see docs/queue.md.") var builds: Int?
    @Option(help: "How many are started and swapped at once.") var rollouts: Int?
    @Option(
        help:
            "How often remote repositories are asked for pushes of which no delivery told; 0s: never. See docs/webhooks.md."
    )
    var lookEvery = "5m"
    @OptionGroup(title: "Another proxy (docs/proxies.md)") var proxyOptions: ProxyOptions
    @OptionGroup(title: "Storage (docs/storage.md)") var storageOptions: StorageOptions

    func validate() throws {
        if let publicUrl, URL(string: publicUrl)?.host == nil || !publicUrl.hasPrefix("http") {
            throw ValidationError("--public-url is like https://kinto.example.com, not '\(publicUrl)'")
        }
        if let domain, !Manifest.isHostName(domain) || domain.utf8.count > 180 {
            throw ValidationError("--domain is like apps.example.com, not '\(Output.safe(domain))'")
        }
        if TimeSpan(lookEvery) == nil {
            throw ValidationError("--look-every wants a time like 30s or 5m, not '\(lookEvery)'")
        }
        for (name, count) in [("builds", builds), ("rollouts", rollouts)] {
            guard (1...1000).contains(count ?? 1) else {
                throw ValidationError("--\(name) wants a number from 1 to 1000")
            }
        }
    }

    private var publicURL: String? {
        publicUrl.map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 }
    }

    /// nil: never.
    private var look: Duration? {
        TimeSpan(lookEvery).flatMap { $0.milliseconds > 0 ? .milliseconds(max(1000, $0.milliseconds)) : nil }
    }

    func run() async throws {
        try await ControlServer.run(
            ServeOptions(
                home: options.directory, listen: listen, publicURL: publicURL, domain: domain?.lowercased(),
                proxy: proxyOptions.choice,
                proxyListen: proxyListen,
                proxyTLSListen: proxyTlsListen, redirectsToTLS: !noHttpsRedirect,
                proxyLimits: proxyLimit, keep: storageOptions.keep, lookEvery: look,
                fetchLimits: fetchLimit, builds: builds,
                rollouts: rollouts,
                containment: containment.choice,
                runtimePath: Kinto.runtimePath,
                executablePath: Kinto.executablePath, version: Kinto.version))
    }
}
