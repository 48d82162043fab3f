// SPDX-License-Identifier: Apache-2.0
internal import KintoCore

/// The JSON text of a delivery's body.
enum PayloadText {
    static let depth = 64

    /// The body itself, or the `payload` of a form where the provider sends such.
    /// - Throws: `Failure` of code `unsupported-media-type` or `malformed`.
    static func json(_ delivery: IncomingDelivery, _ provider: Provider) throws(Failure) -> [UInt8] {
        switch delivery.mediaType {
        case "application/json": return delivery.body
        case "application/x-www-form-urlencoded" where sendsForms(provider):
            return try payload(delivery.body)
        // Some tools name a type even where there is nothing.
        case _ where provider == .generic && (delivery.body.isEmpty || delivery.mediaType.isEmpty):
            return delivery.body
        default:
            throw Failure(
                code: "unsupported-media-type",
                sendsForms(provider)
                    ? "deliveries are application/json or a form with 'payload'"
                    : "deliveries are application/json")
        }
    }

    private static func sendsForms(_ provider: Provider) -> Bool {
        switch provider {
        case .github, .gitea, .forgejo, .gogs: true
        case .gitlab, .bitbucket, .bitbucketServer, .generic: false
        }
    }

    private static func payload(_ form: [UInt8]) throws(Failure) -> [UInt8] {
        let pairs = form.split(separator: UInt8(ascii: "&"), omittingEmptySubsequences: true)
            .filter { $0.starts(with: "payload=".utf8) }
        guard pairs.count == 1, let pair = pairs.first else {
            throw Failure(code: "malformed", "the form has no 'payload', or several")
        }
        guard let text = decoded(pair.dropFirst("payload=".utf8.count)) else {
            throw Failure(code: "malformed", "the form's 'payload' is not percent-encoded")
        }
        return text
    }

    /// By the rules of `application/x-www-form-urlencoded` (URL Standard, 5.1), but nil for a '%' without two digits.
    private static func decoded(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        var index = bytes.startIndex
        while index < bytes.endIndex {
            switch bytes[index] {
            case UInt8(ascii: "+"): out.append(0x20)
            case UInt8(ascii: "%"):
                guard index + 2 < bytes.endIndex, let high = Hexadecimal.nibble(bytes[index + 1]),
                    let low = Hexadecimal.nibble(bytes[index + 2])
                else { return nil }
                out.append(high << 4 | low)
                index += 2
            case let byte: out.append(byte)
            }
            index += 1
        }
        return out
    }

    /// Refuses what is nested too deeply, without recursion: a decoder recurses.
    static func checkDepth(_ bytes: [UInt8]) throws(Failure) {
        var level = 0
        var inString = false
        var isEscaped = false
        for byte in bytes {
            if inString {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    inString = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): inString = true
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                level += 1
                guard level <= depth else {
                    throw Failure(code: "malformed", "the payload is nested too deeply")
                }
            case UInt8(ascii: "}"), UInt8(ascii: "]"): level -= 1
            default: break
            }
        }
    }
}

enum Hexadecimal {
    static func nibble(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// nil unless it is an even number of digits.
    static func bytes(_ text: some StringProtocol) -> [UInt8]? {
        let digits = Array(text.utf8)
        guard digits.count % 2 == 0 else { return nil }
        var out: [UInt8] = []
        out.reserveCapacity(digits.count / 2)
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = nibble(digits[index]), let low = nibble(digits[index + 1]) else { return nil }
            out.append(high << 4 | low)
        }
        return out
    }
}
