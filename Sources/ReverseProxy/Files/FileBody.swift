// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import Wire

/// What is left to send of a file.
struct FileBody {
    /// Less than this goes out together with the head, by one call.
    static let small = 64 << 10
    /// The most that one visitor gets before the others have their turn: what the kernel takes for one at a time, as less
    /// costs more calls.
    static let turn = 2 << 20

    /// `failed`: of the file; `gone`: the visitor.
    enum Outcome { case moved, wouldBlock, failed, gone }

    private let file: Descriptor
    private var offset: Int
    private(set) var left: Int
    /// Whether the file system lets nothing be sent from it without a copy.
    private(set) var isCopied = false

    init(_ file: Descriptor, _ range: Range<Int>) {
        self.file = file
        offset = range.lowerBound
        left = range.count
    }

    /// Into a socket, inside the kernel.
    mutating func send(to socket: Int32, most: Int) -> Outcome {
        let sent = kinto_send_file(file.raw, socket, Int64(offset), UInt(min(left, most)))
        guard sent > 0 else {
            if sent == 0 { return .failed }
            switch errno {
            case EAGAIN, EINTR: return .wouldBlock
            case EINVAL, ENOSYS:
                isCopied = true
                return .moved
            case EIO, ESTALE, ENODEV, ENOMEM, EOVERFLOW: return .failed
            default: return .gone
            }
        }
        offset += sent
        left -= sent
        return .moved
    }

    /// Behind what waits already.
    mutating func read(into queue: inout ByteQueue, by scratch: UnsafeMutableRawBufferPointer) -> Outcome {
        let count = pread(file.raw, scratch.baseAddress, min(left, scratch.count), off_t(offset))
        guard count > 0 else { return count < 0 && errno == EINTR ? .moved : .failed }
        queue.append(UnsafeRawBufferPointer(rebasing: scratch[..<count]))
        offset += count
        left -= count
        return .moved
    }
}
