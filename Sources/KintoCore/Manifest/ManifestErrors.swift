// SPDX-License-Identifier: Apache-2.0

/// All that is wrong with a kinto.json, in the order of the text.
public struct ManifestErrors: Error, Sendable, Equatable {
    public struct Diagnostic: Sendable, Equatable {
        /// From 1.
        public let line: Int
        /// In characters, from 1.
        public let column: Int
        public let message: String
        /// The offending line, cut and made safe to show, and the place of the caret below it.
        public let excerpt: String
        public let caret: Int
    }

    public let file: String
    public let diagnostics: [Diagnostic]

    init(file: String, bytes: [UInt8], findings: [Finding]) {
        self.file = file
        diagnostics = findings.sorted { $0.offset < $1.offset }.map { ManifestErrors.place($0, in: bytes) }
    }

    /// `kinto.json:LINE:COLUMN: message`, the line, and a caret below the place; for each problem.
    public var rendered: String {
        diagnostics.map { d in
            "\(file):\(d.line):\(d.column): \(d.message)\n    \(d.excerpt)\n    \(String(repeating: " ", count: d.caret))^"
        }.joined(separator: "\n")
    }

    private static func place(_ finding: Finding, in bytes: [UInt8]) -> Diagnostic {
        let offset = min(max(0, finding.offset), bytes.count)
        let lineStart = bytes[..<offset].lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        let lineEnd = bytes[offset...].firstIndex(of: 0x0A) ?? bytes.count
        func characters(_ range: Range<Int>) -> [Character] {
            String(decoding: bytes[range], as: UTF8.self).unicodeScalars
                .map { $0.value < 0x20 || $0.value == 0x7F ? Character(" ") : Character($0) }
        }
        let before = characters(lineStart..<offset)
        // A long line is shown around the place.
        let cut = max(0, before.count - 60)
        let excerpt = (before + characters(offset..<lineEnd)).dropFirst(cut).prefix(100)
        return Diagnostic(
            line: bytes[..<offset].count { $0 == 0x0A } + 1, column: before.count + 1,
            message: finding.message,
            excerpt: String(excerpt), caret: before.count - cut)
    }
}
