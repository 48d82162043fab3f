// SPDX-License-Identifier: Apache-2.0
import Crypto
import Foundation
import KintoCore

@testable import HookReceiver

/// Payloads of real forges with what is to be decided on each, and signatures right and wrong.
struct PayloadIndex: Decodable {
    struct Payload: Decodable {
        let file: String
        let provider: String
        let eventHeader: [String: String]
        let ref, after, afterCommit: String?
        let deleted: Bool?
        let decision: String

        enum CodingKeys: String, CodingKey {
            case file, provider, ref, after, deleted, decision
            case eventHeader = "event_header"
            case afterCommit = "after_commit"
        }

        var body: [UInt8] { PayloadIndex.read(file) }
        /// GitHub Enterprise is GitHub.
        var sender: Provider { Provider(rawValue: provider) ?? .github }
    }

    struct Vector: Decodable {
        let name: String
        let provider, secret, body, header, value, file: String?
        let contentType: String?
        let signingToken: String?
        let headers: [String: String]?

        enum CodingKeys: String, CodingKey {
            case name, provider, secret, body, header, value, file, headers
            case contentType = "content_type"
            case signingToken = "signing_token"
        }
    }

    let secret: String
    let headerTemplates: [String: [String: String]]
    let signatureVectors: [Vector]
    let payloads: [Payload]

    enum CodingKeys: String, CodingKey {
        case secret, payloads
        case headerTemplates = "header_templates"
        case signatureVectors = "signature_vectors"
    }

    static let shared: PayloadIndex = {
        do { return try JSONDecoder().decode(PayloadIndex.self, from: Data(read("index.json"))) } catch {
            fatalError("the index of the payloads cannot be read: \(error)")
        }
    }()

    static func read(_ name: String) -> [UInt8] {
        let here = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        guard let data = try? Data(contentsOf: here.appending(path: "Payloads/\(name)")) else {
            fatalError("there is no payload \(name)")
        }
        return Array(data)
    }

    /// The headers that the provider sends with a body, signed with a secret.
    func headers(_ template: String, event: String, body: [UInt8], secret: String, identifier: String = "d-1")
        -> [(String, String)]
    {
        let key = SymmetricKey(data: Array(secret.utf8))
        let digest = hexadecimal(HMAC<SHA256>.authenticationCode(for: body, using: key))
        let sha1 = hexadecimal(HMAC<Insecure.SHA1>.authenticationCode(for: body, using: key))
        return (headerTemplates[template] ?? [:]).map { name, value in
            (
                name,
                value.replacing("{event}", with: event).replacing("{hmac_sha256}", with: digest)
                    .replacing("{hmac_sha1}", with: sha1).replacing("{secret}", with: secret)
                    .replacing("{unique_uuid}", with: identifier)
            )
        }
    }

    /// A payload as its provider sends it.
    func delivery(_ payload: Payload, body: [UInt8]? = nil, secret: String? = nil) -> IncomingDelivery {
        let body = body ?? payload.body
        return IncomingDelivery(
            headers(
                payload.provider, event: payload.eventHeader.values.first ?? "", body: body,
                secret: secret ?? self.secret), body: body)
    }

    /// The same in a form.
    static func form(_ text: [UInt8]) -> [UInt8] {
        var out = Array("payload=".utf8)
        for byte in text {
            switch byte {
            case UInt8(ascii: " "): out.append(UInt8(ascii: "+"))
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"):
                out.append(byte)
            default: out += Array("%\(byte < 16 ? "0" : "")\(String(byte, radix: 16, uppercase: true))".utf8)
            }
        }
        return out
    }
}

func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}
