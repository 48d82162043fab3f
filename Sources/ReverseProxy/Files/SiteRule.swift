// SPDX-License-Identifier: Apache-2.0
internal import Wire

/// A line of `_redirects`, ready to be compared with paths.
struct SiteRule: Sendable {
    private enum Segment: Sendable {
        case text([UInt8])
        case any(name: [UInt8])
        case rest
    }

    let status: Int
    let isForced: Bool
    private let from: [Segment]
    private let to: [UInt8]

    private static let slash = UInt8(ascii: "/")

    init(_ rule: SiteIndex.Rule) {
        status = rule.status
        isForced = rule.isForced
        to = Array(rule.to.utf8)
        from = Array(rule.from.utf8).split(separator: SiteRule.slash).map { part in
            if part.elementsEqual("*".utf8) { return .rest }
            if part.first == UInt8(ascii: ":"), part.count > 1 { return .any(name: Array(part.dropFirst())) }
            return .text(Array(part))
        }
    }

    /// Once for all rules: there may be many.
    static func segments(_ path: [UInt8]) -> [ArraySlice<UInt8>] { path.split(separator: slash) }

    /// Whether it only says what else answers, and with which status, without sending the visitor away.
    var isRewrite: Bool { status == 200 || status >= 400 }

    /// Where a path leads: for a rewrite a decoded path, else what Location says; nil when the rule is not for it. A final
    /// slash makes no difference.
    /// - Parameters:
    ///   - path: the segments of it, decoded.
    ///   - query: as it came, without `?`; empty when there is none.
    func target(of path: [ArraySlice<UInt8>], query: ArraySlice<UInt8>) -> [UInt8]? {
        var values: [[UInt8]: [UInt8]] = [:]
        var segments = path[...]
        matching: for part in from {
            switch part {
            case .text(let text):
                guard segments.popFirst()?.elementsEqual(text) == true else { return nil }
            case .any(let name):
                guard let segment = segments.popFirst() else { return nil }
                values[name] = Array(segment)
            case .rest:
                values[Array("splat".utf8)] = Array(segments.joined(separator: [SiteRule.slash]))
                segments = []
                break matching
            }
        }
        guard segments.isEmpty else { return nil }
        guard var target = fill(values) else { return nil }
        if isRewrite { return target }
        // It stands before a fragment (RFC 3986, 3).
        let end = target.firstIndex(of: UInt8(ascii: "#")) ?? target.endIndex
        if !query.isEmpty, !target[..<end].contains(UInt8(ascii: "?")) {
            target.insert(contentsOf: [UInt8(ascii: "?")] + query, at: end)
        }
        return target
    }

    /// What is found may stand in a target many times.
    private static let longest = 16 << 10

    /// Puts what was found in the place of `:name`. It cannot make another host of a path. nil when it gets too long.
    private func fill(_ values: [[UInt8]: [UInt8]]) -> [UInt8]? {
        var out: [UInt8] = []
        var index = to.startIndex
        while index < to.endIndex {
            let byte = to[index]
            index += 1
            let name = to[index...].prefix { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                    || byte == UInt8(ascii: "_")
            }
            if byte == UInt8(ascii: ":"), let value = values[Array(name)] {
                out += isRewrite ? value : SiteRule.encoded(value)
                index = name.endIndex
                if out.count > SiteRule.longest { return nil }
            } else {
                out.append(byte)
            }
        }
        guard to.first == SiteRule.slash, !to.starts(with: [SiteRule.slash, SiteRule.slash]) else {
            return out
        }
        let rest = out.drop { $0 == SiteRule.slash || $0 == UInt8(ascii: "\\") }
        return [SiteRule.slash] + rest
    }

    /// What is not plain in a path as `%HH` (RFC 3986, 3.3).
    private static func encoded(_ bytes: [UInt8]) -> [UInt8] {
        let plain = Array("-._~!$&'()*+,;=:@/".utf8)
        return bytes.flatMap { byte -> [UInt8] in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: return [byte]
            default: return plain.contains(byte) ? [byte] : Array("%\(hexadecimal([byte]))".utf8)
            }
        }
    }
}
