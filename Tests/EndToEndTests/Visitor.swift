// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import Testing

/// Somebody with a browser, as far as forms and cookies go.
final class Visitor: Sendable {
    struct Answer {
        let status: Int
        let text: String
        var headers: [String: [String]] = [:]

        var json: Any? { try? JSONSerialization.jsonObject(with: Data(text.utf8)) }
        var code: String? { (json as? [String: Any])?["code"] as? String }
    }

    let server: Server
    private let cookie: String
    /// What the browser keeps of a sign-in by password.
    let device: String
    private let csrf: String

    init(_ server: Server, _ form: [String: String], device: String? = nil) async throws {
        let answer = try await Visitor.signIn(server, form, device: device)
        #expect(answer.status == 303, "\(answer.text.prefix(2000))")
        let cookies = answer.headers["set-cookie", default: []].map { String($0.prefix { $0 != ";" }) }
        self.server = server
        cookie = try #require(cookies.first { $0.hasPrefix("kinto_session=") })
        self.device = cookies.first { $0.hasPrefix("kinto_device=") } ?? ""
        let page = try await Visitor.send(server, "GET", "/", cookie: cookie)
        csrf = page.text.firstMatch(of: #/name="csrf" value="([0-9a-f]+)"/#).map { String($0.1) } ?? ""
    }

    static func signIn(_ server: Server, _ form: [String: String], device: String? = nil) async throws
        -> Answer
    {
        try await send(server, "POST", "/sign-in", form, cookie: device ?? "")
    }

    func get(_ path: String) async throws -> Answer {
        try await Visitor.send(server, "GET", path, cookie: cookie)
    }

    func post(_ path: String, _ form: [String: String]) async throws -> Answer {
        try await Visitor.send(server, "POST", path, form.merging(["csrf": csrf]) { $1 }, cookie: cookie)
    }

    /// Whether it came to an end by itself.
    /// - Parameter begun: when there is something of it.
    func stream(_ path: String, begun: Mutexed<Bool>) async -> Bool {
        await Visitor.ends(
            "http://127.0.0.1:\(server.listen)\(path)", ["Cookie: \(cookie)"], begun: begun)
    }

    /// Whether a stream comes to an end by itself, within three minutes.
    static func ends(_ url: String, _ headers: [String], begun: Mutexed<Bool>) async -> Bool {
        do {
            _ = try await HTTPClient.stream(.init(url: url, headers: headers, timeout: 180_000)) { _ in
                begun.write { $0 = true }
            }
        } catch let error as HTTPClient.TransportError {
            // CURLE_OPERATION_TIMEDOUT.
            return error.code != 28
        } catch { return false }
        return true
    }

    /// What a stream tells up to some text.
    func stream(_ path: String, until text: String) async throws -> String {
        let seen = Mutexed("")
        let request = HTTPClient.Request(
            url: "http://127.0.0.1:\(server.listen)\(path)", headers: ["Cookie: \(cookie)"])
        let reading = Task {
            try await HTTPClient.stream(request) { bytes in
                seen.write { $0 += String(decoding: bytes, as: UTF8.self) }
            }
        }
        defer { reading.cancel() }
        try await server.until { seen.read { $0.contains(text) } }
        return seen.read { $0 }
    }

    private static func send(
        _ server: Server, _ method: String, _ path: String, _ form: [String: String]? = nil, cookie: String
    ) async throws -> Answer {
        // With the heads of the answer, which the client of the product does not hand out.
        let body = form?.map { key, value in
            "\(key)=\(value.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "")"
        }.joined(separator: "&")
        let url = "http://127.0.0.1:\(server.listen)"
        let result = try await server.run(
            "/usr/bin/curl",
            ["-s", "-i", "-X", method, "-H", "Cookie: \(cookie)", "-H", "Origin: \(url)", "\(url)\(path)"]
                + (body.map { ["--data-binary", $0] } ?? []))
        let parts = result.output.replacingOccurrences(of: "\r\n", with: "\n").components(separatedBy: "\n\n")
        let head = parts[0].split(separator: "\n")
        var headers: [String: [String]] = [:]
        for line in head.dropFirst() {
            let pair = line.split(separator: ":", maxSplits: 1)
            if pair.count == 2 {
                headers[pair[0].lowercased(), default: []].append(
                    pair[1].trimmingCharacters(in: .whitespaces))
            }
        }
        return Answer(
            status: head.first.flatMap { Int($0.split(separator: " ")[1]) } ?? 0,
            text: parts.dropFirst().joined(separator: "\n\n"), headers: headers)
    }
}

extension Server {
    var adminToken: String {
        get throws {
            try String(contentsOfFile: "\(home)/token", encoding: .utf8)
                .trimmingCharacters(in: .whitespacesAndNewlines)
        }
    }
}
