// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import Glibc
internal import KintoCore

/// How long a command waits for its deploy.
struct WaitOptions: ParsableArguments {
    @Option(help: "Stop waiting after so long (10m) with exit code 6; the deploy goes on.")
    var waitTimeout: String?

    var limit: TimeSpan? { waitTimeout.flatMap { TimeSpan($0) } }

    func validate() throws {
        if let waitTimeout, TimeSpan(waitTimeout) == nil {
            throw ValidationError("--wait-timeout wants a time like 30s or 10m, not '\(waitTimeout)'")
        }
    }
}

/// Follows a release to its end and turns that into the exit code.
struct Following {
    let options: GlobalOptions
    let service: String

    /// - Parameters:
    ///   - release: its JSON.
    ///   - limit: how long to wait; the deploy goes on after it.
    func follow(_ release: [String: Any], for limit: TimeSpan?) async throws {
        guard let number = release["number"] as? Int else { return }
        let (service, words) = (service, options.words(service))
        signal(SIGINT, SIG_IGN)
        let interrupt = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
        interrupt.setEventHandler {
            Output.error(
                "\n       the deploy goes on; follow it with: kinto logs \(words) --release \(number) -f\n")
            exit(130)
        }
        interrupt.activate()
        if let limit {
            Task {
                try await Task.sleep(for: limit.duration)
                Output.error(
                    " !     release \(number) still runs after \(limit); follow it with: kinto logs \(words) --release \(number) -f\n"
                )
                exit(6)
            }
        }
        let path = "/services/\(service)/releases/\(number)"
        if !options.quiet, !options.json {
            try await options.client.stream("\(path)/log?env=\(options.env)&follow=1&times=0", LogView())
        } else {
            _ = try await options.client.collect("\(path)/log?env=\(options.env)&follow=1")
        }
        guard let final = try await options.client.call("GET", "\(path)?env=\(options.env)") as? [String: Any]
        else { return }
        if options.json { Output.json(final) }
        let status = final["status"] as? String ?? ""
        if options.quiet { Output.line("release \(number) of \(words): \(status)") }
        switch status {
        case "deployed": return
        case "failed": throw ExitCode(1)
        case "aborted": throw ExitCode(4)
        case "superseded":
            // It was found to be live already: what was asked for is so.
            if let by = final["supersededBy"] as? Int, by < number,
                let other = try await options.client.call(
                    "GET", "/services/\(service)/releases/\(by)?env=\(options.env)") as? [String: Any],
                other["commit"] as? String == final["commit"] as? String
            {
                return
            }
            throw ExitCode(5)
        default: throw ExitCode(6)
        }
    }
}

/// A release for people.
enum ReleaseView {
    static func rows(_ releases: [[String: Any]]) -> [[String]] {
        [["RELEASE", "STATUS", "COMMIT", "BY", "CREATED", "TOOK", "SUBJECT"]]
            + releases.map { release in
                let live = release["live"] as? Bool == true
                let timings = (release["timings"] as? [String: Double] ?? [:]).filter {
                    $0.key != "queue" && $0.key != "drain"
                }
                let took = timings.values.reduce(0, +)
                let trigger = release["trigger"] as? String ?? ""
                let origin = (release["rollbackOf"] as? Int).map { "\(trigger) of \($0)" } ?? trigger
                let by = (release["by"] as? String).map { " by \(Output.safe($0))" } ?? ""
                return [
                    "\(release["number"] as? Int ?? 0)",
                    live ? "Live" : (release["status"] as? String ?? "").capitalized,
                    String((release["commit"] as? String ?? "-").prefix(7)), origin + by,
                    String((release["createdAt"] as? String ?? "").prefix(19)), "\(Int(took)) ms",
                    Output.safe(release["subject"] as? String ?? ""),
                ]
            }
    }
}
