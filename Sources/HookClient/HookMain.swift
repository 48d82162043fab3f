// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Wire

/// `kinto-runtime hook pre-receive|post-receive --home DIR --service NAME`: what git runs. Tells the control server
/// over its socket and prints what it answers; a push is never lost, and never refused but for a bad kinto.json.
public enum HookMain {
    /// Seconds that the server has to answer. `KINTO_HOOK_PATIENCE=60`: for tests, in debug builds only.
    private static func patience(_ kind: String) -> Double {
        #if DEBUG
            if let text = getenv("KINTO_HOOK_PATIENCE"), let seconds = Double(String(cString: text)) {
                return seconds
            }
        #endif
        return kind == "pre-receive" ? 2 : 5
    }

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
        // A Ctrl-C of who pushes reaches this process too, and the ref has moved already: it waits until the push
        // is recorded.
        block(true)
        defer { block(false) }
        let request: Fields
        do { request = try HookRequest.read(pre: kind == "pre-receive") } catch {
            say(" !     kinto could not read the push: \(error)\n", to: 2)
            if kind == "post-receive" {
                say(" !     nothing is deployed; do it with: kinto deploy \(service)\n", to: 2)
            }
            return 0
        }
        var trouble = notRunning
        do {
            let exchange = try HookExchange(
                socket: "\(home)/kinto.sock", path: "/hook/\(service)/\(kind)", body: request.encoded(),
                patience: patience(kind))
            if exchange.status == 200 { block(false) }
            var whole = true
            do { try exchange.copyBody { say($0, to: exchange.status == 422 ? 2 : 1) } } catch {
                whole = false
            }
            switch exchange.status {
            case 422: return 1
            case 200:
                if !whole {
                    say(" !     the connection to the kinto server ended; the deploy goes on\n", to: 1)
                    say("       follow it with: kinto logs \(service) -f\n", to: 1)
                }
                return 0
            default: trouble = "could not take the push (status \(exchange.status))"
            }
        } catch let error
            where error is HookExchange.Broken || HookMain.isListening(error)
        {
            trouble = "does not answer"
        } catch {}
        if kind == "pre-receive" {
            say(" !     the kinto server \(trouble): kinto.json is checked when it is back\n", to: 2)
            return 0
        }
        spool(request, trouble, home: home, service: service)
        return 0
    }

    /// Whether somebody has the socket: a connection was made, or would have been made in time.
    private static func isListening(_ error: any Error) -> Bool {
        guard let error = error as? SystemError else { return true }
        return error.operation != "connect" || error.code == EAGAIN
    }

    private static let notRunning = "is not running"

    private static func block(_ blocked: Bool) {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] { sigaddset(&set, signal) }
        sigprocmask(blocked ? SIG_BLOCK : SIG_UNBLOCK, &set, nil)
    }

    /// Leaves the trigger where the server takes it up when it starts.
    private static func spool(_ request: Fields, _ trouble: String, home: String, service: String) {
        var kept = request
        kept.add("service", service)
        kept.add("spooledAt", Timestamp.now.milliseconds)
        do {
            try Files.makeDirectories("\(home)/spool")
            let name = "\(Timestamp.now.milliseconds)-\(getpid())-\(request["id"] ?? "0").trigger"
            try Files.replace("\(home)/spool/\(name)", with: kept.encoded())
            say(
                " !     the kinto server \(trouble): the push is kept and is deployed when it \(trouble == notRunning ? "starts" : "answers again")\n",
                to: 1)
            say("       start it with: kinto serve --home \(home)\n", to: 1)
        } catch {
            say(" !     the kinto server \(trouble), and the push could NOT be kept: \(error)\n", to: 1)
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
