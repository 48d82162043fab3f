// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// Bytes on their way: appended at the end, taken from the front without moving the rest each time.
struct ByteQueue {
    private(set) var storage: [UInt8] = []
    private var start = 0

    var count: Int { storage.count - start }
    var isEmpty: Bool { count == 0 }
    var bytes: ArraySlice<UInt8> { storage[start...] }

    mutating func append(_ bytes: some Collection<UInt8>) { storage.append(contentsOf: bytes) }
    mutating func append(_ bytes: [UInt8], _ range: Range<Int>) {
        bytes.withUnsafeBufferPointer {
            storage.append(contentsOf: UnsafeBufferPointer(rebasing: $0[range]))
        }
    }
    mutating func append(_ text: StaticString) {
        text.withUTF8Buffer { storage.append(contentsOf: $0) }
    }

    func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try storage.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[start...])) }
    }

    mutating func drop(_ count: Int) {
        start += count
        if start == storage.count {
            storage.removeAll(keepingCapacity: storage.capacity <= Limits.read)
            start = 0
        } else if start > Limits.read {
            storage.removeSubrange(..<start)
            start = 0
        }
    }

    /// The memory goes back, for a connection that idles.
    mutating func release() { if isEmpty { self = ByteQueue() } }

    enum Outcome { case bytes(Int), end, wouldBlock, failed }

    /// One recv(2), through a buffer that the worker keeps for it.
    mutating func fill(from fd: Int32, by scratch: UnsafeMutableRawBufferPointer) -> Outcome {
        let received = recv(fd, scratch.baseAddress, scratch.count, 0)
        if received > 0 {
            storage.append(contentsOf: UnsafeRawBufferPointer(rebasing: scratch[..<received]))
            return .bytes(received)
        }
        if received == 0 { return .end }
        return errno == EAGAIN || errno == EINTR ? .wouldBlock : .failed
    }

    /// As much as the socket takes. False when the connection is broken.
    mutating func flush(to fd: Int32) -> Bool {
        while !isEmpty {
            let sent = storage.withUnsafeBytes { buffer in
                buffer.baseAddress.map { send(fd, $0 + start, buffer.count - start, Int32(MSG_NOSIGNAL)) }
                    ?? -1
            }
            if sent > 0 {
                drop(sent)
            } else {
                return errno == EAGAIN || errno == EINTR
            }
        }
        return true
    }
}
