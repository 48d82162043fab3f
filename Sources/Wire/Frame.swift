// SPDX-License-Identifier: Apache-2.0

/// One message on a stream: four bytes of length, most significant first, then as many bytes of `Fields`.
public enum Frame {
    /// Larger messages are refused, in bytes.
    public static let limit = 16 << 20

    public static func encode(_ fields: Fields) -> [UInt8] {
        let body = fields.encoded()
        let size = UInt32(truncatingIfNeeded: body.count).bigEndian
        return withUnsafeBytes(of: size) { Array($0) } + body
    }

    /// The length told by the first four bytes of `header`.
    public static func length(_ header: [UInt8]) throws(WireError) -> Int {
        guard header.count >= 4 else { throw .malformed("short frame header") }
        let size = header[0..<4].reduce(0) { $0 << 8 | Int($1) }
        guard size <= limit else { throw .tooLarge(size) }
        return size
    }

    /// Reads one message from a blocking descriptor; nil at a clean end.
    public static func read(from descriptor: Descriptor) throws -> Fields? {
        guard let header = try descriptor.readExactly(4) else { return nil }
        let size = try length(header)
        guard size > 0 else { return Fields() }
        guard let body = try descriptor.readExactly(size) else {
            throw WireError.malformed("frame cut short")
        }
        return try Fields(decoding: body)
    }

    /// Writes one message to a blocking descriptor.
    public static func write(_ fields: Fields, to descriptor: Descriptor) throws(SystemError) {
        try descriptor.writeAll(encode(fields))
    }
}
