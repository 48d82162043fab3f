// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient

extension Server {
    /// Files of the work tree.
    func write(_ files: [String: String]) throws {
        for (path, text) in files {
            let file = "\(work)/\(path)"
            try FileManager.default.createDirectory(
                atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            try text.write(toFile: file, atomically: true, encoding: .utf8)
        }
    }

    /// A service without a program.
    func setUpSite(_ settings: String, _ files: [String: String]) async throws {
        _ = try await json("service", "add", "hello", "--json")
        try await git("init", "-q", "-b", "main")
        try write(files.merging(["kinto.json": settings]) { one, _ in one })
    }

    /// `200 BODY`
    func page(_ path: String, host: String = "hello.localhost") async throws -> String {
        let answer = try await get(path, host: host)
        return "\(answer.status) \(String(decoding: answer.body, as: UTF8.self))"
    }
}

/// Visitors of a site; each answer but 200 counts, and each body that is not whole.
final class SiteVisitors: Sendable {
    private let tally = Mutexed<(answered: Int, failures: [String])>((0, []))
    private let task: Task<Void, Never>

    init(_ server: Server, _ paths: [String]) {
        let tally = tally
        task = Task {
            await withTaskGroup(of: Void.self) { group in
                for index in 0..<4 {
                    group.addTask {
                        while !Task.isCancelled {
                            let path = paths[index % paths.count]
                            do {
                                let answer = try await server.get(path, timeout: 120_000)
                                tally.write {
                                    $0.answered += 1
                                    if answer.status != 200 {
                                        $0.failures.append("\(path): \(answer.status)")
                                    }
                                    if path == "/big.txt", answer.body.count != 16 << 18 {
                                        $0.failures.append("\(path): \(answer.body.count) bytes")
                                    }
                                }
                            } catch is CancellationError {} catch {
                                tally.write { $0.failures.append("\(path): \(error)") }
                            }
                            try? await Task.sleep(for: .milliseconds(10))
                        }
                    }
                }
            }
        }
    }

    func end() async -> (Int, [String]) {
        task.cancel()
        await task.value
        return tally.read { ($0.answered, $0.failures) }
    }
}
