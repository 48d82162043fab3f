// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Control

/// Which proxy stands before the services, and how to reach one that is not kinto's own.
struct ProxyOptions: ParsableArguments {
    enum Kind: String, ExpressibleByArgument, CaseIterable {
        case embedded, nginx, haproxy, caddy
    }

    @Option(help: "What stands before the services: embedded (kinto's own), nginx, haproxy or caddy.")
    var proxy = Kind.embedded
    @Option(help: "The file that kinto writes for nginx (default: HOME/nginx/kinto.conf).")
    var nginxFile: String?
    @Option(help: "How to run nginx: 'sudo nginx'.")
    var nginxCommand = "nginx"
    @Option(help: "nginx's pid file.")
    var nginxPidFile = "/run/nginx.pid"

    @Option(help: "HAProxy's runtime socket, with level admin.")
    var haproxySocket = "/run/haproxy/kinto.sock"
    @Option(help: "Caddy's admin API.")
    var caddyAdmin = "localhost:2019"
    @Option(help: "The HTTP server of Caddy that gets kinto's route.")
    var caddyServer = "srv0"

    var choice: ServeOptions.Proxy {
        switch proxy {
        case .embedded: .embedded
        case .nginx: .nginx(file: nginxFile, command: nginxCommand, pidFile: nginxPidFile)
        case .haproxy: .haproxy(socket: haproxySocket)
        case .caddy: .caddy(admin: caddyAdmin, server: caddyServer)
        }
    }

    func validate() throws {
        for (name, path) in [
            ("--nginx-file", nginxFile), ("--nginx-pid-file", nginxPidFile),
            ("--haproxy-socket", haproxySocket),
        ] {
            guard let path, !path.hasPrefix("/") else { continue }
            throw ValidationError("\(name) must be an absolute path")
        }
        // It becomes part of a URL.
        guard !caddyServer.isEmpty,
            caddyServer.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) })
        else { throw ValidationError("--caddy-server is a name") }
    }
}
