// SPDX-License-Identifier: Apache-2.0

/// Bodies that are told from one another, and their checksum.
enum Payload {
    /// The same bytes for the same seed.
    static func bytes(_ count: Int, seed: UInt64) -> [UInt8] {
        var state = seed
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, written in
            let bytes = UnsafeMutableRawBufferPointer(buffer)
            var offset = 0
            while offset < count {
                var word = random(&state)
                let size = min(8, count - offset)
                withUnsafeBytes(of: &word) { bytes[offset..<offset + size].copyBytes(from: $0[..<size]) }
                offset += size
            }
            written = count
        }
    }

    /// A size from 0 B to 1 MiB, small ones more often.
    static func size(seed: UInt64) -> Int {
        var state = seed
        let (draw, within) = (random(&state) % 100, random(&state))
        let limit: UInt64 =
            switch draw {
            case ..<25: 0
            case ..<65: 1000
            case ..<88: 20_000
            case ..<97: 100_000
            case ..<99: 1 << 20
            default: 0
            }
        // The end of the range itself is sent, too.
        if draw == 98 { return 1 << 20 }
        return Int(within % (limit + 1))
    }

    /// Of the bytes, their order and their number; 16 hexadecimal digits.
    static func checksum(_ bytes: [UInt8]) -> String {
        var sum = UInt64(bytes.count) &+ 0x9E37_79B9_7F4A_7C15
        bytes.withUnsafeBytes { bytes in
            var offset = 0
            while offset < bytes.count {
                var word: UInt64 = 0
                let size = min(8, bytes.count - offset)
                withUnsafeMutableBytes(of: &word) { $0.copyBytes(from: bytes[offset..<offset + size]) }
                sum = (sum ^ word) &* 0xFF51_AFD7_ED55_8CCD
                sum ^= sum >> 32
                offset += size
            }
        }
        let digits = String(sum, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// SplitMix64.
    static func random(_ state: inout UInt64) -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}
