// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import HTTPClient
internal import KintoCore

/// The way to the server: its unix socket, or KINTO_URL with KINTO_TOKEN.
struct ControlClient {
    let home: Home
    private let base: String
    private let socket: String?
    private let headers: [String]

    init(_ home: Home) {
        self.home = home
        let variables = ProcessInfo.processInfo.environment
        if let url = variables["KINTO_URL"], !url.isEmpty {
            base = url.hasSuffix("/") ? String(url.dropLast()) : url
            socket = nil
            headers = variables["KINTO_TOKEN"].map { ["Authorization: Bearer \($0)"] } ?? []
        } else {
            base = "http://kinto"
            socket = home.socket
            headers = []
        }
    }

    /// Whether it is on this machine, over the socket.
    var isLocal: Bool { socket != nil }

    /// Why the server did not do what was asked: what people are told, and the exit code.
    struct Refusal: Error {
        /// nil: it did not answer.
        var status: Int?
        let lines: [String]
        let code: Int32

        /// - Returns: what ends the command.
        func told() -> ExitCode {
            for (index, line) in lines.enumerated() {
                if index == 0 { Output.trouble(line) } else { Output.error("       \(line)\n") }
            }
            return ExitCode(code)
        }
    }

    /// Milliseconds for what ends services: drains and graces may take minutes.
    static let removal = 3_600_000

    /// A JSON answer; anything but success is printed and ends the command with the right exit code.
    /// - Parameter timeout: milliseconds.
    func call(
        _ method: String = "GET", _ path: String, _ body: [String: Any]? = nil, timeout: Int = 60_000
    ) async throws -> Any {
        do {
            let answer = try await ask(method, path, body, timeout: timeout)
            let value = try? JSONSerialization.jsonObject(
                with: Data(answer), options: [.fragmentsAllowed])
            return value ?? [String: Any]()
        } catch let refusal as Refusal { throw refusal.told() }
    }

    /// The bytes of a JSON answer; nothing is printed.
    /// - Parameter timeout: milliseconds.
    /// - Throws: `Refusal`.
    func ask(
        _ method: String = "GET", _ path: String, _ body: [String: Any]? = nil, timeout: Int = 60_000
    ) async throws -> [UInt8] {
        let bytes = try body.map { Array(try JSONSerialization.data(withJSONObject: $0)) }
        let response: HTTPClient.Response
        do {
            response = try await HTTPClient.send(
                .init(
                    method, url: "\(base)/api/v1\(path)",
                    headers: headers + ["Content-Type: application/json"],
                    body: bytes, unixSocket: socket, timeout: timeout))
        } catch { throw unreachable(error) }
        guard (200..<300).contains(response.status) else {
            let problem = try? JSONSerialization.jsonObject(with: Data(response.body))
            throw refused(response.status, problem as? [String: Any])
        }
        return response.body
    }

    /// Prints a log as it comes.
    func stream(_ path: String, _ view: LogView) async throws {
        defer { view.end() }
        do {
            let status = try await HTTPClient.stream(
                .init(url: "\(base)/api/v1\(path)\(view.query)", headers: headers, unixSocket: socket)
            ) { view.show($0) }
            guard status == 200 else { throw refused(status, nil).told() }
        } catch let error as HTTPClient.TransportError { throw unreachable(error).told() }
    }

    /// Waits for the end of a stream; its bytes are not kept.
    func collect(_ path: String) async throws -> Int {
        do { return try await follow(path) { _ in } } catch let refusal as Refusal { throw refusal.told() }
    }

    /// Hands on a stream as it comes, to its end; nothing is printed.
    /// - Returns: the status.
    /// - Throws: `Refusal`, when the server does not answer.
    func follow(_ path: String, _ onBytes: @escaping @Sendable ([UInt8]) -> Void) async throws -> Int {
        do {
            return try await HTTPClient.stream(
                .init(url: "\(base)/api/v1\(path)", headers: headers, unixSocket: socket), onBytes)
        } catch let error as HTTPClient.TransportError { throw unreachable(error) }
    }

    /// Where the server is, for people.
    var place: String { socket ?? base }

    private func unreachable(_ error: any Error) -> Refusal {
        Refusal(
            lines: [
                socket.map { "no kinto server answers at \($0): start it with 'kinto serve'" }
                    ?? "no kinto server answers at \(base): \(error)"
            ], code: 69)
    }

    private func refused(_ status: Int, _ problem: [String: Any]?) -> Refusal {
        let hints = (problem?["hints"] as? [[String: Any]] ?? []).map { hint in
            let text = Output.safe(hint["text"] as? String ?? "")
            return (hint["command"] as? String).map { "\(text): \(Output.safe($0))" } ?? text
        }
        return Refusal(
            status: status,
            lines: [Output.safe(problem?["detail"] as? String ?? "the server answered \(status)")] + hints,
            code: status == 400 ? 2 : status == 503 ? 69 : 3)
    }
}

/// What goes to the terminal.
enum Output {
    static func line(_ text: String) { write(Array((text + "\n").utf8)) }
    static func write(_ bytes: [UInt8]) { FileHandle.standardOutput.write(Data(bytes)) }
    static func error(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
    static func trouble(_ text: String) { error(" !     \(text)\n") }

    static func json(_ value: Any) {
        let data =
            (try? JSONSerialization.data(
                withJSONObject: value,
                options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes, .fragmentsAllowed])) ?? Data()
        write(Array(data) + [0x0A])
    }

    /// Without control characters, and without what ends a line or turns the direction of writing for what follows (UAX #9,
    /// 2.1 to 2.4): a text from a repository can neither steer the terminal nor look like what it is not.
    static func safe(_ text: String) -> String {
        text.unicodeScalars.map {
            switch $0.value {
            case 0..<0x20, 0x7F...0x9F, 0x2028...0x202E, 0x2066...0x2069: $0.escaped(asASCII: true)
            default: String($0)
            }
        }.joined()
    }

    /// Aligned columns.
    static func table(_ rows: [[String]]) {
        let width = (0..<(rows.map(\.count).max() ?? 0)).map { column in
            rows.map { $0.count > column ? $0[column].count : 0 }.max() ?? 0
        }
        for row in rows {
            let cells = row.enumerated().map {
                $0.offset == row.count - 1
                    ? $0.element : $0.element.padding(toLength: width[$0.offset], withPad: " ", startingAt: 0)
            }
            line(cells.joined(separator: "  "))
        }
    }
}

extension String {
    /// As a part of a URL's path.
    var inPath: String {
        get throws {
            guard
                let text = addingPercentEncoding(
                    withAllowedCharacters: .alphanumerics.union(.init(charactersIn: "-._")))
            else { throw ValidationError("'\(self)' is no name") }
            return text
        }
    }
}
