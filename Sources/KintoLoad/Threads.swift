// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// Threads of the system: every visitor blocks on its own.
enum Threads {
    /// - Returns: nil when the system gives no thread.
    static func start(_ body: @escaping @Sendable () -> Void) -> pthread_t? {
        final class Context {
            let body: @Sendable () -> Void
            init(_ body: @escaping @Sendable () -> Void) { self.body = body }
        }
        var thread = pthread_t()
        let context = Unmanaged.passRetained(Context(body))
        let code = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<Context>.fromOpaque(context).takeRetainedValue().body()
                return nil
            }, context.toOpaque())
        guard code == 0 else {
            context.release()
            return nil
        }
        return thread
    }
}
