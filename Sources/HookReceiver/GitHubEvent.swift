// SPDX-License-Identifier: Apache-2.0
internal import Foundation
public import KintoCore

/// What a delivery of GitHub's asks for, read from an event name and a body whose signature was checked.
public enum GitHubEvent: Sendable, Equatable {
    /// The branch has this commit now.
    case push(branch: String, commit: CommitID, reference: String)
    /// Nothing to do, and why.
    case ignored(String, reference: String)

    /// - Throws: `Failure` of code `malformed` or `unsupported-media-type`.
    public static func read(event: String, contentType: String, body: [UInt8]) throws(Failure) -> GitHubEvent
    {
        guard event == "push" else {
            return .ignored(
                event == "ping" ? "ping" : "event '\(shown(event))' deploys nothing", reference: "")
        }
        let object = try object(json(contentType, body))
        guard let reference = object["ref"] as? String, reference.utf8.count <= 1024,
            !reference.unicodeScalars.contains(where: { $0.value < 0x21 || $0.value == 0x7F })
        else { throw Failure(code: "malformed", "the payload has no 'ref'") }
        guard reference.hasPrefix("refs/heads/") else {
            return .ignored("'\(shown(reference))' is not a branch", reference: reference)
        }
        let branch = String(reference.dropFirst("refs/heads/".count))
        guard let after = object["after"] as? String, let commit = CommitID(after) else {
            throw Failure(code: "malformed", "the payload has no commit in 'after'")
        }
        if commit.isZero || object["deleted"] as? Bool == true {
            return .ignored("branch '\(shown(branch))' was deleted; what runs stays", reference: reference)
        }
        if let head = object["head_commit"] as? [String: Any], let message = head["message"] as? String,
            let marker = ["[skip deploy]", "[skip cd]", "[skip ci]"].first(where: message.contains)
        {
            return .ignored("the commit says \(marker)", reference: reference)
        }
        return .push(branch: branch, commit: commit, reference: reference)
    }

    private static func json(_ contentType: String, _ body: [UInt8]) throws(Failure) -> [UInt8] {
        switch contentType.split(separator: ";").first.map({ $0.lowercased().filter { $0 != " " } }) {
        case "application/json": return body
        case "application/x-www-form-urlencoded":
            for pair in body.split(separator: UInt8(ascii: "&")) where pair.starts(with: "payload=".utf8) {
                return formDecoded(pair.dropFirst(8))
            }
            throw Failure(code: "malformed", "the form has no 'payload'")
        default:
            throw Failure(
                code: "unsupported-media-type", "deliveries are application/json or a form with 'payload'")
        }
    }

    private static func formDecoded(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var out: [UInt8] = []
        var rest = bytes
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "+") {
                out.append(0x20)
            } else if byte == UInt8(ascii: "%"), rest.count >= 2,
                let code = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                out.append(code)
                rest = rest.dropFirst(2)
            } else {
                out.append(byte)
            }
        }
        return out
    }

    private static func object(_ bytes: [UInt8]) throws(Failure) -> [String: Any] {
        // Depth first, without recursion: what follows recurses.
        var depth = 0
        var inString = false
        var escaped = false
        for byte in bytes {
            if inString {
                if escaped {
                    escaped = false
                } else if byte == UInt8(ascii: "\\") {
                    escaped = true
                } else if byte == UInt8(ascii: "\"") {
                    inString = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): inString = true
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                guard depth <= 64 else {
                    throw Failure(code: "malformed", "the payload is nested too deeply")
                }
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            default: break
            }
        }
        guard let value = try? JSONSerialization.jsonObject(with: Data(bytes)),
            let object = value as? [String: Any]
        else {
            throw Failure(code: "malformed", "the payload is not a JSON object")
        }
        return object
    }

    private static func shown(_ text: String) -> String {
        text.unicodeScalars.prefix(60).map { $0.escaped(asASCII: true) }.joined()
    }
}
