// SPDX-License-Identifier: Apache-2.0
internal import CZlib
internal import Glibc
internal import Wire

/// Compresses whole texts (RFC 1952). The same text always becomes the same bytes.
enum Gzip {
    /// Better ones take twice as long for a hundredth.
    private static let level: Int32 = 7

    /// nil when there is no memory for it.
    static func compress(_ bytes: [UInt8]) -> [UInt8]? {
        var stream = z_stream()
        guard kinto_deflate_gzip(&stream, level) == Z_OK else { return nil }
        defer { deflateEnd(&stream) }
        var source = bytes
        var out = [UInt8](repeating: 0, count: Int(deflateBound(&stream, UInt(source.count))))
        let status = source.withUnsafeMutableBufferPointer { input in
            out.withUnsafeMutableBufferPointer { output in
                stream.next_in = input.baseAddress
                stream.avail_in = UInt32(input.count)
                stream.next_out = output.baseAddress
                stream.avail_out = UInt32(output.count)
                return deflate(&stream, Z_FINISH)
            }
        }
        guard status == Z_STREAM_END else { return nil }
        out.removeLast(Int(stream.avail_out))
        return out
    }

    /// Whether a file looks like one that becomes so many bytes: by its first bytes and the length at its end (RFC 1952, 2.3.1).
    static func holds(_ length: Int, _ file: Descriptor, size: Int) throws(SystemError) -> Bool {
        guard size >= 18 else { return false }
        var (first, last) = ([UInt8](repeating: 0, count: 2), [UInt8](repeating: 0, count: 4))
        let heads = try check("read", "") { Int32(pread(file.raw, &first, 2, 0)) }
        let ends = try check("read", "") { Int32(pread(file.raw, &last, 4, off_t(size - 4))) }
        guard heads == 2, ends == 4, first == [0x1F, 0x8B] else { return false }
        let told = last.reversed().reduce(0) { $0 << 8 | Int($1) }
        return told == length & 0xFFFF_FFFF
    }
}
