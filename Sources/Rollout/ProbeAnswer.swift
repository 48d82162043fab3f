// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Wire

/// What came back when the probe asked, as far as it helps to see why it does not count.
struct ProbeAnswer: Sendable, Equatable {
    /// What is read of an answer, in bytes.
    static let limit = 8192
    /// What is shown of a body: pages begin with what says nothing.
    private static let bodyLimit = 300
    private static let told = ["location:", "www-authenticate:", "server:", "content-type:"]

    /// `answered: HTTP/1.1 301 Moved Permanently`, the fields that tell something, the beginning of the body as text.
    let lines: [String]

    init(_ bytes: [UInt8]) {
        // A TLS alert, or the beginning of another of its records.
        if bytes.count >= 3, (0x14...0x17).contains(bytes[0]), bytes[1] == 3 {
            lines = ["answered: TLS, \(bytes.count) bytes"]
            return
        }
        let text = TerminalFilter.stripped(bytes.filter { $0 != 0x0D })
        let end = ProbeAnswer.blank(text)
        let head = text[..<end].split(separator: 0x0A).map { String(decoding: $0.prefix(400), as: UTF8.self) }
        var lines = head.prefix(1).map { "answered: \($0)" }
        lines += head.dropFirst().filter { line in
            let small = line.prefix(20).lowercased()
            return ProbeAnswer.told.contains { small.hasPrefix($0) }
        }
        let body = ProbeAnswer.words(text[end...])
        if !body.isEmpty { lines.append("body: \(body)") }
        self.lines = lines
    }

    private static func blank(_ text: [UInt8]) -> Int {
        guard text.count > 1 else { return text.count }
        return (1..<text.count).first { text[$0] == 0x0A && text[$0 - 1] == 0x0A } ?? text.count
    }

    /// Without tags, styles, and the space between them: what a person would read.
    private static func words(_ bytes: ArraySlice<UInt8>) -> String {
        var out: [UInt8] = []
        var tag: [UInt8]?
        var skipped: [UInt8]?
        for byte in bytes where out.count < bodyLimit {
            if let open = tag {
                guard byte == UInt8(ascii: ">") else {
                    if open.count < 8 { tag = open + [byte | 0x20] }
                    continue
                }
                tag = nil
                if let name = skipped {
                    if open.starts(with: [UInt8(ascii: "/")] + name) { skipped = nil }
                } else {
                    for name in ["style", "script"] where open.starts(with: name.utf8) {
                        skipped = Array(name.utf8)
                    }
                }
                if out.last != 0x20, !out.isEmpty { out.append(0x20) }
            } else if byte == UInt8(ascii: "<") {
                tag = []
            } else if skipped == nil {
                let isSpace = byte <= 0x20
                if !isSpace { out.append(byte) } else if out.last != 0x20, !out.isEmpty { out.append(0x20) }
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
