// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Rollout

extension ServeOptions {
    /// What speaks to the chosen proxy.
    var driver: any ProxyDriver {
        switch proxy {
        case .embedded: EmbeddedDriver(socket: home.proxySocket)
        case .nginx(let file, let command, let pidFile):
            NginxDriver(file: file ?? "\(home.path)/nginx/kinto.conf", command: command, pidFile: pidFile)
        case .haproxy(let socket): HAProxyDriver(socket: socket)
        case .caddy(let admin, let server): CaddyDriver(admin: admin, server: server)
        }
    }

    /// As people know it.
    var proxyName: String {
        switch proxy {
        case .embedded: "kinto's proxy"
        case .nginx: "nginx"
        case .haproxy: "HAProxy"
        case .caddy: "Caddy"
        }
    }

    /// Where kinto's own proxy is found.
    var serviceAddresses: String {
        "http://\(proxyListen)" + (proxyTLSListen.map { " and https://\($0)" } ?? "")
    }

    /// Port of the proxy for the URL that people are told.
    func urlPort(_ listen: ListenAddress) -> Int { proxy == .embedded ? Int(listen.port) : 80 }
}
