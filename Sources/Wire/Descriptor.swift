// SPDX-License-Identifier: Apache-2.0
public import Glibc

/// An owned file descriptor, closed when the last reference goes. May be shared between threads; the calls
/// on it are as concurrent as the kernel allows.
public final class Descriptor: Sendable {
    /// The number, valid as long as this object lives.
    public let raw: Int32

    /// Takes ownership of `raw`.
    public init(owning raw: Int32) { self.raw = raw }

    deinit { close(raw) }

    /// open(2) with O_CLOEXEC.
    public static func open(_ path: String, _ flags: Int32, mode: mode_t = 0o600) throws(SystemError)
        -> Descriptor
    {
        Descriptor(owning: try check("open", path) { Glibc.open(path, flags | O_CLOEXEC, mode) })
    }

    /// Reads until the end or `limit` bytes.
    /// - Throws: EFBIG when there is more than `limit`.
    public func readAll(limit: Int = .max) throws(SystemError) -> [UInt8] {
        var result: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = try check("read") { read(raw, &buffer, buffer.count) }
            if count == 0 { return result }
            guard result.count + count <= limit else { throw SystemError("read", code: EFBIG) }
            result.append(contentsOf: buffer[0..<count])
        }
    }

    /// Writes all of `bytes`.
    public func writeAll(_ bytes: some Collection<UInt8>) throws(SystemError) {
        let array = Array(bytes)
        var done = 0
        while done < array.count {
            let count = try check("write") {
                array.withUnsafeBytes { buffer in
                    buffer.baseAddress.map { write(raw, $0 + done, array.count - done) } ?? 0
                }
            }
            done += count
        }
    }

    /// Fills exactly `count` bytes, or returns nil when the other end closed before the first of them.
    /// - Throws: ECONNRESET when it closed in between.
    public func readExactly(_ count: Int) throws(SystemError) -> [UInt8]? {
        var result = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let got = try check("read") {
                result.withUnsafeMutableBytes { buffer in
                    buffer.baseAddress.map { read(raw, $0 + done, count - done) } ?? 0
                }
            }
            if got == 0 {
                if done == 0 { return nil }
                throw SystemError("read", code: ECONNRESET)
            }
            done += got
        }
        return result
    }
}
