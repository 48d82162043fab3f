// SPDX-License-Identifier: Apache-2.0

/// Replaces secrets in a stream of bytes, also where one is split over several reads: what could be the beginning of
/// a secret is held back until the next bytes, or a pause, decide.
struct Redactor {
    static let replacement = Array("[redacted]".utf8)

    private let needles: [[UInt8]]
    private let firsts: [Bool]
    private var held: [UInt8] = []

    /// Secrets of fewer than 4 bytes are not looked for: they would blacken everything. Each line of a longer one
    /// counts as well as its base64 form.
    init(_ secrets: [String]) {
        var all: Set<[UInt8]> = []
        for secret in secrets {
            let bytes = Array(secret.utf8)
            if bytes.count >= 4 { all.insert(bytes) }
            for line in bytes.split(separator: 0x0A) where line.count >= 6 { all.insert(Array(line)) }
            if bytes.count >= 6 {
                // The part of the base64 text that does not depend on what stands before and after.
                for shift in 0..<3 {
                    let code = Redactor.base64([UInt8](repeating: 0, count: shift) + bytes)
                    let skip = shift == 0 ? 0 : shift + 1
                    let stable = (shift + bytes.count) / 3 * 4
                    if stable - skip >= 8 { all.insert(Array(code[skip..<stable])) }
                }
            }
        }
        needles = all.sorted { $0.count > $1.count }
        var table = [Bool](repeating: false, count: 256)
        for needle in needles { if let first = needle.first { table[Int(first)] = true } }
        firsts = table
    }

    /// What may be shown of the stream so far.
    mutating func feed(_ bytes: [UInt8]) -> [UInt8] {
        guard !needles.isEmpty else { return bytes }
        return scan(held + bytes, final: false)
    }

    /// Whether something is held back.
    var isHolding: Bool { !held.isEmpty }

    /// What was held back: no more bytes belong to it.
    mutating func flush() -> [UInt8] { needles.isEmpty ? [] : scan(held, final: true) }

    private mutating func scan(_ text: [UInt8], final: Bool) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(text.count)
        var at = 0
        held = []
        outer: while at < text.count {
            guard firsts[Int(text[at])] else {
                out.append(text[at])
                at += 1
                continue
            }
            let rest = text[at...]
            for needle in needles where needle[0] == text[at] {
                if rest.starts(with: needle) {
                    out += Redactor.replacement
                    at += needle.count
                    continue outer
                }
                if !final, rest.count < needle.count, needle.starts(with: rest) {
                    held = Array(rest)
                    return out
                }
            }
            out.append(text[at])
            at += 1
        }
        return out
    }

    static func base64(_ bytes: [UInt8]) -> [UInt8] {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var out: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = (0..<3).map { start + $0 < bytes.count ? UInt32(bytes[start + $0]) : 0 }
            let word = group[0] << 16 | group[1] << 8 | group[2]
            for (index, shift) in [18, 12, 6, 0].enumerated() {
                out.append(
                    start + index <= bytes.count
                        ? alphabet[Int(word >> UInt32(shift) & 63)] : UInt8(ascii: "="))
            }
        }
        return out
    }
}
