// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import Synchronization

final class Mutexed<Value: Sendable>: Sendable {
    private let value: Mutex<Value>
    init(_ value: Value) { self.value = Mutex(value) }
    func read<T>(_ body: (Value) -> T) -> T { value.withLock { body($0) } }
    func write(_ body: (inout Value) -> Void) { value.withLock { body(&$0) } }
}

/// Requests that go on, GET and POST, until they are told to end; every one that does not get 200 counts.
final class Visitors: Sendable {
    struct Tally: Sendable {
        var answered = 0
        var failures: [String] = []
        var releases: Set<Int> = []
    }
    private let tally = Mutexed(Tally())
    private let task: Task<Void, Never>

    init(_ server: Server, count: Int = 8) {
        let tally = tally
        task = Task {
            await withTaskGroup(of: Void.self) { group in
                for index in 0..<count {
                    group.addTask {
                        while !Task.isCancelled {
                            do {
                                let request = HTTPClient.Request(
                                    index % 3 == 0 ? "POST" : "GET", url: "http://127.0.0.1:\(server.proxy)/",
                                    headers: ["Host: hello.localhost"],
                                    body: index % 3 == 0 ? Array(repeating: 0x61, count: 512) : nil,
                                    timeout: 240_000)
                                let answer = try await HTTPClient.send(request)
                                let text = String(decoding: answer.body, as: UTF8.self)
                                tally.write { t in
                                    t.answered += 1
                                    if answer.status != 200 { t.failures.append("\(answer.status) \(text)") }
                                    if let number = Int(text.dropFirst(8).prefix { $0.isNumber }) {
                                        t.releases.insert(number)
                                    }
                                }
                            } catch is CancellationError {} catch {
                                tally.write { $0.failures.append("\(error)") }
                            }
                            try? await Task.sleep(for: .milliseconds(10))
                        }
                    }
                }
            }
        }
    }

    func saw(_ release: Int) -> Bool { tally.read { $0.releases.contains(release) } }

    func end() async -> Tally {
        task.cancel()
        await task.value
        return tally.read { $0 }
    }
}
