// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc

/// Open-loop load on a loopback address, to prove that a deploy drops nothing.
@main
enum Main {
    static func main() {
        let options: Options
        do throws(UsageError) {
            let arguments = Array(CommandLine.arguments.dropFirst())
            if arguments.contains("--help") || arguments.contains("-h") {
                put(Options.usage, to: 1)
                exit(0)
            }
            signal(SIGPIPE, SIG_IGN)
            if arguments == ["origin"] {
                try Origin.run()
                exit(0)
            }
            options = try Options(arguments)
        } catch {
            refuse(2, error.message + "\n" + Options.usage)
        }
        // Before the threads, which inherit the mask.
        let ends = [SIGTERM, SIGINT]
        let signals = kinto_signalfd(ends, Int32(ends.count))
        let stop = StopSignal(descriptor: kinto_eventfd())
        guard signals >= 0, stop.descriptor >= 0 else {
            refuse(1, "cannot wait for signals: errno \(errno)\n")
        }

        let start = Clock.now()
        let clients = Client.all(options, start: start, stop: stop)
        let threads = clients.compactMap { $0.startThread() }
        if threads.count == clients.count { wait(for: signals, seconds: options.seconds, since: start) }
        stop.raise()
        for thread in threads { pthread_join(thread, nil) }
        guard threads.count == clients.count else { refuse(1, "the system gives no more threads\n") }

        let elapsed = Clock.now() - start
        var total = Tally()
        var kinds: [Kind: Tally] = [:]
        for client in clients {
            total.add(client.tally)
            if options.isMixed { kinds[client.kind, default: Tally()].add(client.tally) }
        }
        if let samples = options.samples { save(total.samples.joined(), as: samples) }
        let report = total.json(elapsed: elapsed, kinds: kinds)
        if options.report == "-" { put(report, to: 1) } else { save(report, as: options.report) }
        exit(total.failed == 0 && total.outOfOrder == 0 ? 0 : 1)
    }

    private static func wait(for signals: Int32, seconds: Int, since start: Int64) {
        let end = start + Int64(seconds) * 1_000_000_000
        while true {
            // Rounded up: a wait that ends too early would spin.
            let left = seconds == 0 ? -1 : Int32(clamping: max(0, (end - Clock.now() + 999_999) / 1_000_000))
            var event = pollfd(fd: signals, events: Int16(POLLIN), revents: 0)
            let count = poll(&event, 1, left)
            if count > 0 || (count == 0 && Clock.now() >= end) { return }
        }
    }

    private static func save(_ text: String, as name: String) {
        let file = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard file >= 0 else { refuse(1, "cannot write \(name): errno \(errno)\n") }
        put(text, to: file)
        close(file)
    }

    private static func put(_ text: String, to descriptor: Int32) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            if count <= 0 { return }
            rest = rest.dropFirst(count)
        }
    }

    private static func refuse(_ code: Int32, _ message: String) -> Never {
        put("kinto-load: \(message)", to: 2)
        exit(code)
    }
}
