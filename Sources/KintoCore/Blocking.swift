// SPDX-License-Identifier: Apache-2.0
internal import Dispatch

/// Runs calls that block the thread (files, waits) where they do not hold up the tasks of the process.
public enum Blocking {
    private static let queue = DispatchQueue(label: "kinto.blocking", attributes: .concurrent)

    /// The call runs to its end even if the task is cancelled meanwhile.
    public static func run<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result { try body() }) }
        }
    }
}

/// The same for calls that take a processor for long: one at a time.
public struct SerialBlocking: Sendable {
    private let queue: DispatchQueue

    public init(_ label: String) { queue = DispatchQueue(label: label, qos: .utility) }

    /// The call runs to its end even if the task is cancelled meanwhile.
    public func run<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result { try body() }) }
        }
    }
}
