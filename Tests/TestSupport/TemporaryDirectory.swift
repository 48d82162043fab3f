// SPDX-License-Identifier: Apache-2.0
internal import Foundation

/// A directory of a test's own, gone with the test.
public enum TemporaryDirectory {
    public static func with<T>(_ body: (String) async throws -> T) async throws -> T {
        precondition(TestProcess.outlivesItsReaders)
        let path = "/tmp/kinto-test-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try await body(path)
    }
}

/// Waits for something to be so, at most three minutes: the machine may have much to do.
public func until(_ what: String, _ condition: () async throws -> Bool) async throws {
    let latest = ContinuousClock.now + .seconds(180)
    while ContinuousClock.now < latest {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(20))
    }
    throw Trouble("waited for: \(what)")
}
