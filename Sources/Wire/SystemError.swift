// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc

/// A system call that failed: what was tried, on what, and errno.
public struct SystemError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The call or the step, as in the manual: "open", "rename".
    public let operation: String
    /// The path, address or name it was tried on; empty when there is none.
    public let subject: String
    /// errno(3).
    public let code: Int32

    public init(_ operation: String, _ subject: String = "", code: Int32) {
        self.operation = operation
        self.subject = subject
        self.code = code
    }

    /// The error in errno(3) as it stands: call directly after the failed call.
    public static func last(_ operation: String, _ subject: String = "") -> SystemError {
        SystemError(operation, subject, code: errno)
    }

    /// The text of strerror(3) for `code`.
    public var reason: String {
        var buffer = [CChar](repeating: 0, count: 128)
        kinto_strerror(code, &buffer, buffer.count)
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    public var description: String {
        subject.isEmpty ? "\(operation): \(reason)" : "\(operation) \(subject): \(reason)"
    }
}

/// Repeats a call that a signal interrupted, and turns -1 into an error.
@discardableResult
public func check<T: FixedWidthInteger & SignedInteger>(
    _ operation: String, _ subject: @autoclosure () -> String = "", _ body: () -> T
) throws(SystemError) -> T {
    while true {
        let result = body()
        if result != -1 { return result }
        let code = errno
        if code != EINTR { throw SystemError(operation, subject(), code: code) }
    }
}
