// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import Wire

/// A thread of its own for work that blocks in C or in the kernel, off the cooperative pool.
struct WorkerThread: Sendable {
    private let handle: pthread_t

    private final class Start: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    /// Starts a thread. It must be joined exactly once, or started with `detached`.
    static func start(
        detached: Bool = false, _ body: @escaping @Sendable () -> Void
    ) throws(SystemError) -> WorkerThread {
        let start = Unmanaged.passRetained(Start(body))
        var handle: pthread_t = 0
        let code = withUnsafeTemporaryAllocation(of: pthread_attr_t.self, capacity: 1) { buffer in
            guard let attributes = buffer.baseAddress else { return ENOMEM }
            pthread_attr_init(attributes)
            defer { pthread_attr_destroy(attributes) }
            // Deep delta chains and trees are walked on these stacks; the memory is only reserved.
            pthread_attr_setstacksize(attributes, 8 << 20)
            if detached { pthread_attr_setdetachstate(attributes, Int32(PTHREAD_CREATE_DETACHED)) }
            return pthread_create(
                &handle, attributes,
                { raw in
                    guard let raw else { return nil }
                    Unmanaged<Start>.fromOpaque(raw).takeRetainedValue().body()
                    return nil
                }, start.toOpaque())
        }
        guard code == 0 else {
            start.release()
            throw SystemError("pthread_create", code: code)
        }
        return WorkerThread(handle: handle)
    }

    /// Runs what takes a processor for long on a thread of its own that comes after the others.
    /// - Throws: what `body` throws, or a `SystemError` when no thread can be started.
    static func behind<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            do {
                _ = try start(detached: true) {
                    kinto_give_way(10)
                    continuation.resume(with: Result { try body() })
                }
            } catch { continuation.resume(throwing: error) }
        }
    }

    /// Waits for its end.
    func join() { pthread_join(handle, nil) }
}
