// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Wire

/// `kinto-runtime hook pre-receive|post-receive --home DIR --service NAME`: what git runs. Tells the control server
/// over its socket and prints what it answers; a push is never lost, and never refused but for a bad kinto.json.
public enum HookMain {
    public static func run(arguments: [String]) -> Int32 {
        guard let kind = arguments.first, kind == "pre-receive" || kind == "post-receive",
            let home = value("--home", arguments), let service = value("--service", arguments)
        else {
            say(
                " !     usage: kinto-runtime hook pre-receive|post-receive --home DIR --service NAME\n", to: 2
            )
            return 2
        }
        signal(SIGPIPE, SIG_IGN)
        let request: Fields
        do { request = try HookRequest.read(pre: kind == "pre-receive") } catch {
            say(" !     kinto could not read the push: \(error)\n", to: 2)
            return 0
        }
        let path = "/hook/\(service)/\(kind)"
        do {
            let exchange = try HookExchange(socket: "\(home)/kinto.sock", path: path, body: request.encoded())
            let refused = exchange.status == 422
            try exchange.copyBody { say($0, to: refused ? 2 : 1) }
            if refused { return 1 }
            guard exchange.status != 200 else { return 0 }
        } catch let error as HookExchange.Broken where error.answered {
            say(" !     the connection to the kinto server ended; the deploy goes on\n", to: 1)
            say("       follow it with: kinto logs \(service) -f\n", to: 1)
            return 0
        } catch {}
        if kind == "pre-receive" {
            say(" !     the kinto server is not running: kinto.json is checked when it is back\n", to: 2)
            return 0
        }
        spool(request, home: home, service: service)
        return 0
    }

    /// Leaves the trigger where the server takes it up when it starts.
    private static func spool(_ request: Fields, home: String, service: String) {
        var kept = request
        kept.add("service", service)
        kept.add("spooledAt", Timestamp.now.milliseconds)
        do {
            try Files.makeDirectories("\(home)/spool")
            let name = "\(Timestamp.now.milliseconds)-\(getpid())-\(request["id"] ?? "0").trigger"
            try Files.replace("\(home)/spool/\(name)", with: kept.encoded())
            say(
                " !     the kinto server is not running: the push is kept and is deployed when it starts\n",
                to: 1)
            say("       start it with: kinto serve --home \(home)\n", to: 1)
        } catch {
            say(" !     the kinto server is not running, and the push could NOT be kept: \(error)\n", to: 1)
            say(" !     when it runs again: kinto deploy \(service)\n", to: 1)
        }
    }

    private static func value(_ name: String, _ arguments: [String]) -> String? {
        guard let index = arguments.firstIndex(of: name), index + 1 < arguments.count else { return nil }
        return arguments[index + 1]
    }

    private static func say(_ text: String, to descriptor: Int32) { say(Array(text.utf8), to: descriptor) }

    private static func say(_ bytes: [UInt8], to descriptor: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            // A reader that went away changes nothing for the deploy.
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}
