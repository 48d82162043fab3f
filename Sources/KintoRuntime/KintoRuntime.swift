// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import HookClient
internal import ReverseProxy
internal import Supervisor
internal import Wire

/// The small executable beside `kinto`: what serves visitors, owns services, and answers git.
@main
enum KintoRuntime {
    static func main() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        switch arguments.first {
        case "proxy": exit(ProxyMain.run(arguments: Array(arguments.dropFirst())))
        case "supervise": exit(SupervisorMain.run())
        case "hook": exit(HookMain.run(arguments: Array(arguments.dropFirst())))
        default:
            let usage = "usage: kinto-runtime proxy|supervise|hook: started by kinto, not by hand\n"
            _ = Array(usage.utf8).withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
            exit(2)
        }
    }
}
