// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import Synchronization
import TestSupport
import Wire

@testable import Rollout

/// A program from Debian's packages in a directory of its own, with the configuration that docs/proxies.md shows.
final class RealProxy: Sendable {
    let directory: String
    /// Where visitors go.
    let port: UInt16
    private let pid = Mutex<Int32>(0)

    init(_ directory: String) throws {
        self.directory = directory
        port = try FreePort.take()
    }

    func start(_ path: String, _ arguments: [String]) async throws {
        let log = try Descriptor.open("\(directory)/log", O_WRONLY | O_CREAT | O_APPEND)
        let started = try Spawn(
            path: path, arguments: [path] + arguments,
            environment: ["PATH=/usr/bin:/bin", "HOME=\(directory)", "XDG_DATA_HOME=\(directory)"],
            workingDirectory: directory, standardOutput: log, standardError: log, newSession: true
        ).start()
        pid.withLock { $0 = started }
        do { try await Ports.listening(port) } catch {
            let said = (try? Files.read("\(directory)/log")) ?? []
            throw Trouble("\(path): \(String(decoding: said, as: UTF8.self))")
        }
    }

    /// The leader, with all that it started.
    func stop(_ signal: Int32 = SIGTERM) {
        let pid = pid.withLock { pid in
            defer { pid = 0 }
            return pid
        }
        guard pid > 0 else { return }
        kill(pid, signal)
        // What still has connections is not waited for.
        for _ in 0..<200 where ProcessTable.stat(pid)?.state != UInt8(ascii: "Z") { usleep(5_000) }
        kill(-pid, SIGKILL)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
    }

    func write(_ name: String, _ text: String) throws {
        try Files.replace("\(directory)/\(name)", with: Array(text.utf8), mode: 0o644, durable: false)
    }

    func read(_ name: String) throws -> String {
        String(decoding: try Files.read("\(directory)/\(name)"), as: UTF8.self)
    }

    /// What a visitor is answered; nil when nobody listens.
    func get(_ path: String = "/", host: String = "hello.localhost") async -> (status: Int, body: String)? {
        let answer = try? await HTTPClient.send(
            .init(url: "http://127.0.0.1:\(port)\(path)", headers: ["Host: \(host)"], timeout: 180_000))
        return answer.map { ($0.status, String(decoding: $0.body, as: UTF8.self)) }
    }

    /// A block of docs/proxies.md, with the words of this test in the place of the shown ones.
    static func documented(_ language: String, _ words: [String: String]) throws -> String {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let page = try String(contentsOf: root.appendingPathComponent("docs/proxies.md"), encoding: .utf8)
        guard let start = page.range(of: "```\(language)\n"),
            let end = page.range(of: "```\n", range: start.upperBound..<page.endIndex)
        else { throw Trouble("docs/proxies.md shows no \(language)") }
        var text = String(page[start.upperBound..<end.lowerBound])
        for (shown, own) in words {
            guard text.contains(shown) else { throw Trouble("docs/proxies.md does not show \(shown)") }
            text = text.replacingOccurrences(of: shown, with: own)
        }
        return text
    }
}
