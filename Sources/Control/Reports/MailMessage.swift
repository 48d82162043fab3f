// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import Wire

/// A text as a mail (RFC 5322, MIME): whatever stands in the subject or the body, it adds no header and no second message.
struct MailMessage {
    /// Addresses that `MailSettings.isAddress` takes.
    let from: String
    let to: [String]
    /// Without brackets; the same for a message that is sent again.
    let identifier: String
    let date: Timestamp
    let subject: String
    /// Lines ended by LF.
    let body: String

    /// Ended by CR LF; ASCII.
    var bytes: [UInt8] {
        let text = body.split(separator: "\n", omittingEmptySubsequences: false).map(MailMessage.plain)
        // As it is if that is possible: filters distrust ASCII in base64. 998 bytes are a line's limit.
        let isPlain = text.allSatisfy { $0.utf8.count <= 900 && $0.utf8.allSatisfy { $0 < 0x80 } }
        let encoded =
            isPlain
            ? text.joined(separator: "\r\n")
            : Data(text.joined(separator: "\r\n").utf8).base64EncodedString(options: [
                .lineLength76Characters, .endLineWithCarriageReturn, .endLineWithLineFeed,
            ])
        let lines = [
            "Date: \(MailMessage.date(date))",
            "From: kinto <\(from)>",
            "To: \(to.joined(separator: ",\r\n "))",
            "Message-ID: <\(identifier)>",
            "Subject: \(MailMessage.unstructured(subject))",
            "Auto-Submitted: auto-generated",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: \(isPlain ? "7bit" : "base64")",
            "", encoded, "",
        ]
        return Array(lines.joined(separator: "\r\n").utf8)
    }

    /// Without what ends lines, steers terminals or turns the direction of what is read.
    private static func plain(_ text: some StringProtocol) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { scalar in
                    switch scalar.properties.generalCategory {
                    case .control where scalar != "\t", .lineSeparator, .paragraphSeparator: " "
                    // Not the joiners that emoji and some scripts are written with.
                    case .format where scalar.value != 0x200C && scalar.value != 0x200D: " "
                    default: scalar
                    }
                }))
    }

    /// RFC 2047 unless it is short, ASCII, and cannot be taken for such a word.
    static func unstructured(_ text: String) -> String {
        let text = plain(text).replacing("\t", with: " ").trimmingCharacters(in: .whitespaces)
        let isPlain =
            text.utf8.count <= 68 && text.utf8.allSatisfy { (0x20...0x7E).contains($0) }
            && !text.contains("=?")
        if isPlain { return text }
        // 75 bytes a word: 12 around 63 of base64, which are 45 bytes of text; no character is divided.
        var words: [String] = []
        var word: [UInt8] = []
        for scalar in text.unicodeScalars {
            let bytes = Array(String(scalar).utf8)
            if word.count + bytes.count > 45 {
                words.append(encoded(word))
                word = []
            }
            word += bytes
        }
        return (words + [encoded(word)]).joined(separator: "\r\n ")
    }

    private static func encoded(_ bytes: [UInt8]) -> String {
        "=?utf-8?B?\(Data(bytes).base64EncodedString())?="
    }

    /// `Wed, 25 Nov 2026 23:17:44 +0000`, whatever the locale.
    private static func date(_ date: Timestamp) -> String {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(secondsFromGMT: 0)
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss '+0000'"
        return formatter.string(from: Date(timeIntervalSince1970: Double(date.milliseconds) / 1000))
    }
}
