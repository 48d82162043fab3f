// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc

/// A pipe through which bytes go from one socket to another inside the kernel (splice(2)): they are not copied, and
/// nobody reads them. Confined to its worker's thread.
final class SplicePipe {
    /// What is worth the two calls instead of a read and a write, in bytes.
    static let worthwhile = 128 << 10
    private static let size = 1 << 20

    private let reading: Int32
    private let writing: Int32
    /// Bytes in the pipe.
    private(set) var count = 0

    /// nil when the system gives none: then bytes are copied.
    init?() {
        var ends: [Int32] = [-1, -1]
        guard kinto_pipe(&ends) == 0 else { return nil }
        (reading, writing) = (ends[0], ends[1])
        kinto_set_pipe_size(writing, Int32(SplicePipe.size))
    }

    deinit {
        close(reading)
        close(writing)
    }

    enum Outcome { case moved(Int), wouldBlock, end, failed }

    /// From a socket into the pipe.
    func fill(from socket: Int32, limit: Int) -> Outcome {
        outcome(kinto_splice(socket, writing, UInt(min(limit, SplicePipe.size)))) { count += $0 }
    }

    /// From the pipe into a socket.
    /// - Parameter more: whether more follows at once.
    func flush(to socket: Int32, more: Bool) -> Outcome {
        outcome(kinto_splice_out(reading, socket, UInt(count), more)) { count -= $0 }
    }

    /// Takes out what is left, for one who goes on by copying.
    func drain(into queue: inout ByteQueue, by scratch: UnsafeMutableRawBufferPointer) {
        while count > 0 {
            let got = read(reading, scratch.baseAddress, min(count, scratch.count))
            guard got > 0 else { return }
            queue.append(UnsafeRawBufferPointer(rebasing: scratch[..<got]))
            count -= got
        }
    }

    private func outcome(_ moved: Int, _ take: (Int) -> Void) -> Outcome {
        if moved > 0 {
            take(moved)
            return .moved(moved)
        }
        if moved == 0 { return .end }
        return errno == EAGAIN || errno == EINTR ? .wouldBlock : .failed
    }
}
