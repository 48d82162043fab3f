// SPDX-License-Identifier: Apache-2.0

/// Whether the name of a file tells its content, as those do that bundlers give: `app.3f2a9c1d.js`, `index-BdR4k1xZ.css`.
/// Such a file never changes. A name that only looks like one would be kept for a year, so it must be plain.
enum HashedName {
    static func matches(_ name: some Collection<UInt8>) -> Bool {
        let parts = name.split(separator: UInt8(ascii: "."))
        guard parts.count > 1 else { return false }
        // Not the end that tells the type.
        return parts.dropLast().contains { part in
            part.split(separator: UInt8(ascii: "-")).enumerated().contains { place, word in
                (place > 0 || parts.count > 2) && isHash(word)
            }
        }
    }

    private static func isHash(_ word: some Collection<UInt8>) -> Bool {
        guard (8...64).contains(word.count) else { return false }
        var (hasDigit, hasLower, hasUpper, isHexadecimal) = (false, false, false, true)
        for byte in word {
            switch byte {
            case 0x30...0x39: hasDigit = true
            case 0x61...0x66: hasLower = true
            case 0x67...0x7A: (hasLower, isHexadecimal) = (true, false)
            case 0x41...0x5A: (hasUpper, isHexadecimal) = (true, false)
            case UInt8(ascii: "_"): isHexadecimal = false
            default: return false
            }
        }
        return hasDigit && hasLower && (isHexadecimal || hasUpper)
    }
}
