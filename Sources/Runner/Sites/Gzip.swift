// SPDX-License-Identifier: Apache-2.0
internal import CZlib

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
}
