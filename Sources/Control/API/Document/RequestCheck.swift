// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import KintoCore
internal import NIOCore

/// Holds every request to what ``Operations`` says of it: nothing that is misspelt is passed over.
struct RequestCheck: RouterMiddleware {
    typealias Context = APIServer.Context

    /// Of a body: JSON of a person or a script.
    static let limit = 1 << 20

    func handle(_ request: Request, context: Context, next: (Request, Context) async throws -> Response)
        async throws -> Response
    {
        let path = RouteList.documented(context.endpointPath ?? "")
        guard let operation = Operations.operation(request.method.rawValue, path) else {
            return try await next(request, context)
        }
        try checkQuery(request, operation)
        var request = request
        if let fields = operation.body {
            let buffer = try await body(&request, context)
            try checkType(request, buffer)
            for word in Told.words(try checkBody(buffer, fields)) { context.note.say(word) }
        }
        return try await next(request, context)
    }

    private func body(_ request: inout Request, _ context: Context) async throws -> ByteBuffer {
        do { return try await request.collectBody(upTo: Self.limit) } catch is NIOTooManyBytesError {
            // What is not read any more must not keep the connection.
            context.close()
            throw Failure(code: "body-too-large", "a body is at most \(Self.limit >> 20) MiB here")
        }
    }

    private func checkType(_ request: Request, _ body: ByteBuffer) throws {
        guard body.readableBytes > 0, let type = request.headers[.contentType] else { return }
        let name = type.prefix { $0 != ";" }.trimmingCharacters(in: .whitespaces).lowercased()
        guard name == "application/json" else {
            throw Failure(
                code: "unsupported-media-type", "the body is '\(shown(name))', and has to be application/json"
            )
        }
    }

    // MARK: Query

    private func checkQuery(_ request: Request, _ operation: Operation) throws {
        var seen: Set<String> = []
        for (key, value) in request.uri.queryParameters {
            let name = String(key)
            guard let field = operation.query.first(where: { $0.name == name }) else {
                throw refuse(
                    "?\(shown(name)) is not known here"
                        + (operation.query.isEmpty ? "" : "; known are \(list(operation.query))"))
            }
            guard seen.insert(name).inserted else { throw refuse("?\(name) is given twice") }
            // Its own type says best what is wrong.
            try Self.checkName(String(value), field.shape)
            guard Self.fits(String(value), field.shape) else {
                throw refuse("?\(name) has to be \(field.shape.words), not '\(shown(String(value)))'")
            }
        }
    }

    private static func checkName(_ text: String, _ shape: Shape) throws {
        switch shape {
        case .name: _ = try ServiceName(text)
        case .environment: _ = try EnvironmentName(text)
        default: break
        }
    }

    private static func fits(_ text: String, _ shape: Shape) -> Bool {
        switch shape {
        case .integer(let range): Int(text).map(range.contains) ?? false
        case .flag: text == "0" || text == "1"
        case .choice(let choices): choices.contains(text)
        case .text(let most): text.utf8.count <= most
        default: true
        }
    }

    // MARK: Body

    private func checkBody(_ buffer: ByteBuffer, _ fields: [Field]) throws -> [String: JSONBody] {
        let value: JSONBody
        if buffer.readableBytes == 0 {
            value = .object([:])
        } else {
            do {
                value = try JSONDecoder().decode(JSONBody.self, from: Data(buffer.readableBytesView))
            } catch {
                throw Failure(code: "malformed", "the body is no JSON: \(Self.place(buffer))")
            }
        }
        guard case .object(let members) = value else {
            throw Failure(code: "malformed", "the body has to be an object")
        }
        try check(members, fields, at: "")
        return members
    }

    private func check(_ members: [String: JSONBody], _ fields: [Field], at place: String) throws {
        for name in members.keys.sorted() where !fields.contains(where: { $0.name == name }) {
            throw refuse(
                "'\(place)\(shown(name))' is not known here"
                    + (fields.isEmpty ? "" : "; known are \(list(fields))"))
        }
        for field in fields {
            let name = place + field.name
            guard let value = members[field.name], value != .null else {
                if field.isRequired { throw refuse("'\(name)' is missing") }
                continue
            }
            try check(value, field.shape, at: name)
        }
    }

    private func check(_ value: JSONBody, _ shape: Shape, at name: String) throws {
        switch (shape, value) {
        case (.object(let fields), .object(let members)): try check(members, fields, at: "\(name).")
        case (.list(let element), .list(let values)):
            for (index, value) in values.enumerated() { try check(value, element, at: "\(name)[\(index)]") }
        case (.map(let element), .object(let members)):
            for (key, value) in members { try check(value, element, at: "\(name).\(shown(key))") }
        case (.text, .text(let text)), (.name, .text(let text)), (.environment, .text(let text)),
            (.choice, .text(let text)):
            try Self.checkName(text, shape)
            guard Self.fits(text, shape) else { throw refuse("'\(name)' has to be \(shape.words)") }
        case (.integer(let range), .integer(let number)) where range.contains(number): break
        case (.boolean, .boolean): break
        default: throw refuse("'\(name)' has to be \(shape.words)")
        }
    }

    /// The decoder does not tell it, the other reader does.
    private static func place(_ buffer: ByteBuffer) -> String {
        do {
            _ = try JSONSerialization.jsonObject(with: Data(buffer.readableBytesView))
            return "it cannot be read"
        } catch {
            return shown((error as NSError).userInfo[NSDebugDescriptionErrorKey] as? String ?? "\(error)")
        }
    }

    private func list(_ fields: [Field]) -> String { fields.map(\.name).joined(separator: ", ") }
    private func refuse(_ text: String) -> Failure { Failure(code: "invalid-request", text) }
}

/// What was sent, in a message: short, and without what could steer a terminal.
private func shown(_ text: String) -> String {
    String(
        text.prefix(100).unicodeScalars.map { (0x20..<0x7F).contains($0.value) ? Character($0) : "?" })
}

/// A JSON value of a request.
enum JSONBody: Decodable, Equatable {
    case object([String: JSONBody])
    case list([JSONBody])
    case text(String)
    case integer(Int)
    case number(Double)
    case boolean(Bool)
    case null

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            self = .null
        } else if let found = try? value.decode(Bool.self) {
            self = .boolean(found)
        } else if let found = try? value.decode(Int.self) {
            self = .integer(found)
        } else if let found = try? value.decode(Double.self) {
            self = .number(found)
        } else if let found = try? value.decode(String.self) {
            self = .text(found)
        } else if let found = try? value.decode([JSONBody].self) {
            self = .list(found)
        } else {
            self = .object(try value.decode([String: JSONBody].self))
        }
    }
}
