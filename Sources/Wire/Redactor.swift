// SPDX-License-Identifier: Apache-2.0

/// Replaces secrets in a stream of output, in all their forms and however the stream is split: what could be the
/// beginning of one is held back until the next bytes decide, also over a pause. Colours inside of a secret, and line
/// ends inside of encodings that tools break over lines, do not hide it. Everything that any needle covers is
/// replaced; what is replaced without a gap becomes one mark.
///
/// The bytes come from a `TerminalFilter`: the only escape sequences are whole ones of colours.
public struct Redactor: Sendable {
    private let secrets: [String]
    /// Made at the first output: most of what is started says little.
    private var tree: NeedleTree?
    private var node: Int32 = 0
    /// Not shown yet: from the beginning of what may be a secret.
    private var held: [UInt8] = []
    /// Where in `held` the last bytes stand that led to `node`.
    private var trail: [Int] = []
    /// What is to be replaced in `held`, in order, with gaps between.
    private var covered: [Range<Int>] = []
    /// The last thing shown was a mark, and what it stands for may go on.
    private var isOpen = false
    private var isInEscape = false

    /// As many bytes of a wrapped encoding must have been seen before a line end in it is taken for one.
    private static let wrapDepth = 8

    public init(_ secrets: [String]) { self.secrets = secrets }

    /// A whole text without the secrets.
    public static func redacted(_ text: String, _ secrets: [String]) -> String {
        var redactor = Redactor(secrets)
        let bytes = redactor.feed(TerminalFilter.stripped(Array(text.utf8)))
        return String(decoding: bytes + redactor.flush(), as: UTF8.self)
    }

    /// What may be shown of the stream so far.
    public mutating func feed(_ bytes: [UInt8]) -> [UInt8] {
        guard !secrets.isEmpty, !bytes.isEmpty else { return bytes }
        let tree = self.tree ?? NeedleTree(SecretForms(secrets).all)
        self.tree = tree
        guard !tree.isEmpty else { return bytes }
        if held.isEmpty { held = bytes } else { held += bytes }
        scan(from: held.count - bytes.count, tree)
        // All before the beginning of the longest needle that is still possible.
        let depth = Int(tree.nodes[Int(node)].depth)
        let cut = depth > 0 && depth <= trail.count ? trail[trail.count - depth] : held.count
        return release(cut)
    }

    /// What was held back: no more bytes belong to it.
    public mutating func flush() -> [UInt8] {
        node = 0
        isInEscape = false
        defer { isOpen = false }
        return release(held.count)
    }

    private mutating func scan(from start: Int, _ tree: NeedleTree) {
        // Moved out, so that nothing is copied or checked for sharing at each byte.
        var (node, trail, covered, isInEscape) = (self.node, self.trail, self.covered, self.isInEscape)
        self.trail = []
        self.covered = []
        held.withUnsafeBufferPointer { bytes in
            tree.nodes.withUnsafeBufferPointer { nodes in
                tree.pairs.withUnsafeBufferPointer { pairs in
                    var at = start
                    while at < bytes.count {
                        let byte = bytes[at]
                        if node == 0, !isInEscape {
                            // Nothing begins here: the usual case.
                            if at + 1 < bytes.count, byte != 0x1B, bytes[at + 1] != 0x1B,
                                !pairs[Int(byte) << 8 | Int(bytes[at + 1])]
                            {
                                at += 1
                                continue
                            }
                            trail.removeAll(keepingCapacity: true)
                        }
                        if isInEscape {
                            isInEscape = byte != UInt8(ascii: "m")
                            at += 1
                            continue
                        }
                        if byte == 0x1B {
                            isInEscape = true
                            at += 1
                            continue
                        }
                        if byte == 0x0A || byte == 0x0D, nodes[Int(node)].isWrapped,
                            nodes[Int(node)].depth >= Redactor.wrapDepth, !tree.goesOn(node, byte)
                        {
                            at += 1
                            continue
                        }
                        node = tree.step(from: node, byte)
                        if node != 0 {
                            trail.append(at)
                            let match = Int(nodes[Int(node)].match)
                            if match > 0, match <= trail.count {
                                Redactor.cover(trail[trail.count - match]..<(at + 1), &covered)
                            }
                            if trail.count > 1 << 16 { trail.removeFirst(trail.count - tree.longest) }
                        }
                        at += 1
                    }
                }
            }
        }
        (self.node, self.trail, self.covered, self.isInEscape) = (node, trail, covered, isInEscape)
    }

    /// Later ranges end later.
    private static func cover(_ range: Range<Int>, _ covered: inout [Range<Int>]) {
        var start = range.lowerBound
        while let last = covered.last, last.upperBound >= start {
            start = min(start, last.lowerBound)
            covered.removeLast()
        }
        covered.append(start..<range.upperBound)
    }

    /// Shows what is held before `cut`.
    private mutating func release(_ cut: Int) -> [UInt8] {
        guard cut > 0 else { return [] }
        if covered.isEmpty, cut == held.count {
            let all = held
            forget(cut)
            isOpen = false
            return all
        }
        var out: [UInt8] = []
        out.reserveCapacity(cut + 16)
        var at = 0
        for range in covered where range.lowerBound < cut {
            if range.lowerBound > at { isOpen = false }
            out += held[at..<range.lowerBound]
            if !isOpen { out += Credentials.replacement }
            isOpen = true
            at = min(range.upperBound, cut)
            out += Redactor.colours(in: held[range.lowerBound..<at])
        }
        if at < cut {
            isOpen = false
            out += held[at..<cut]
        }
        forget(cut)
        return out
    }

    private mutating func forget(_ count: Int) {
        if count == held.count { held = [] } else { held.removeFirst(count) }
        covered = covered.compactMap {
            $0.upperBound > count ? max(0, $0.lowerBound - count)..<($0.upperBound - count) : nil
        }
        if held.isEmpty {
            trail.removeAll(keepingCapacity: true)
        } else {
            trail = trail.compactMap { $0 >= count ? $0 - count : nil }
        }
    }

    /// The escape sequences: colours begun inside of a secret go on behind it.
    private static func colours(in bytes: ArraySlice<UInt8>) -> [UInt8] {
        guard bytes.contains(0x1B) else { return [] }
        var out: [UInt8] = []
        var isInside = false
        for byte in bytes {
            if byte == 0x1B { isInside = true }
            if isInside { out.append(byte) }
            if byte == UInt8(ascii: "m") { isInside = false }
        }
        return out
    }
}
