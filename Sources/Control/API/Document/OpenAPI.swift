// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import KintoCore

/// The OpenAPI 3.1 document, made from ``Operations`` and ``Schemas``.
struct OpenAPI {
    let version: String

    func encoded() throws -> Data {
        var paths: [String: [String: Any]] = [:]
        for operation in Operations.all {
            paths[operation.path, default: [:]][operation.method.lowercased()] = json(operation)
        }
        var schemas: [String: Any] = [:]
        for schema in Schemas.all { schemas[schema.name] = object(schema.fields, isClosed: false) }
        let document: [String: Any] = [
            "openapi": "3.1.0",
            "info": [
                "title": "kinto", "version": version, "license": ["name": "Apache-2.0"],
                "description":
                    "The control server. Errors are RFC 9457 problem details with a stable code.",
            ],
            "paths": paths,
            "components": [
                "schemas": schemas,
                "securitySchemes": [
                    "token": [
                        "type": "http", "scheme": "bearer",
                        "description":
                            "From kinto token add, or the file token in the server's home. The roles that an operation asks for are those of docs/access.md; each may do what those before it may: viewer, deployer, admin.",
                    ]
                ],
            ],
        ]
        return try JSONSerialization.data(
            withJSONObject: document, options: [.sortedKeys, .withoutEscapingSlashes])
    }

    private func json(_ operation: Operation) -> [String: Any] {
        var result: [String: Any] = [
            "operationId": operation.identifier, "summary": operation.summary,
        ]
        let named = operation.path.split(separator: "/").filter { $0.hasPrefix("{") }.map {
            String($0.dropFirst().dropLast())
        }
        var parameters: [[String: Any]] = named.map { name in
            let shape: Shape =
                name == "number"
                ? .integer
                : name == "id"
                    ? .bytes
                    : ["certificates", "tokens", "users"].contains(where: operation.path.contains)
                        ? .text(300) : .name
            return ["name": name, "in": "path", "required": true, "schema": json(shape)]
        }
        for field in operation.query {
            parameters.append([
                "name": field.name, "in": "query", "description": field.note, "schema": json(field.shape),
            ])
        }
        if case .events? = operation.answers.first?.answer { parameters.append(lastEvent) }
        if case .log? = operation.answers.first?.answer { parameters.append(lastEvent) }
        if !parameters.isEmpty { result["parameters"] = parameters }
        if let body = operation.body {
            result["requestBody"] = [
                "required": body.contains(where: \.isRequired),
                "content": ["application/json": ["schema": object(body, isClosed: true)]],
            ]
        } else if operation.path == "/hooks/{name}" {
            result["requestBody"] = [
                "required": true,
                "content": [
                    "application/json": ["schema": ["type": "object"]],
                    "application/x-www-form-urlencoded": ["schema": ["type": "object"]],
                ],
            ]
        }
        var responses: [String: Any] = [:]
        for (status, answer) in operation.answers { responses["\(status)"] = json(answer) }
        for status in problems(operation, hasPath: !named.isEmpty) { responses["\(status)"] = problem }
        result["responses"] = responses
        result["security"] = operation.access.role.map { [["token": [$0.rawValue]]] } ?? []
        return result
    }

    private var lastEvent: [String: Any] {
        [
            "name": "Last-Event-ID", "in": "header",
            "schema": ["anyOf": [json(.bytes), ["type": "string", "maxLength": 0]]],
            "description": "The id of the event that was seen last: it goes on after that one. Empty: none.",
        ]
    }

    private func problems(_ operation: Operation, hasPath: Bool) -> Set<Int> {
        var statuses: Set = [500]
        // What is answered without anything that could fail.
        if operation.path == "/healthz" || operation.path.hasSuffix(".json") { return [] }
        statuses.insert(503)
        if !operation.isOpen { statuses.insert(401) }
        if operation.access.role ?? .viewer > .viewer { statuses.insert(403) }
        if operation.path.hasPrefix("/api/") { statuses.insert(400) }
        if hasPath, !operation.isOpen { statuses.insert(404) }
        if operation.body != nil { statuses.formUnion([404, 409, 413, 415]) }
        if operation.method == "DELETE" { statuses.insert(409) }
        return statuses.union(operation.problems)
    }

    private var problem: [String: Any] {
        [
            "description": "It was not done.",
            "content": ["application/problem+json": ["schema": json(.schema("Problem"))]],
        ]
    }

    private func json(_ answer: Operation.Answer) -> [String: Any] {
        func content(_ type: String, _ schema: [String: Any]) -> [String: Any] { [type: ["schema": schema]] }
        let text: [String: Any] = ["type": "string"]
        switch answer {
        case .none: return ["description": "It is done."]
        case .json(let shape):
            return ["description": "As asked.", "content": content("application/json", json(shape))]
        case .document:
            return ["description": "As asked.", "content": content("application/json", ["type": "object"])]
        case .text: return ["description": "As asked.", "content": content("text/plain", text)]
        case .events:
            return [
                "description": "ready, reset, release, environment, service, delivery: docs/api.md.",
                "content": content("text/event-stream", text),
            ]
        case .log:
            return [
                "description": "The log.",
                "content": content("text/plain", text).merging(content("text/event-stream", text)) { $1 },
            ]
        }
    }

    private func object(_ fields: [Field], isClosed: Bool) -> [String: Any] {
        var properties: [String: Any] = [:]
        for field in fields {
            var schema = json(field.shape)
            if !field.isRequired {
                schema = ["anyOf": [schema, ["type": "null"]]]
            }
            if !field.note.isEmpty { schema["description"] = field.note }
            properties[field.name] = schema
        }
        var result: [String: Any] = ["type": "object", "properties": properties]
        let required = fields.filter(\.isRequired).map(\.name)
        if !required.isEmpty { result["required"] = required }
        if isClosed { result["additionalProperties"] = false }
        return result
    }

    private func json(_ shape: Shape) -> [String: Any] {
        switch shape {
        // Bytes are counted by the server, characters by the schema: there are never more of these.
        case .text(let most): ["type": "string", "maxLength": most]
        case .name, .environment: ["type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"]
        case .time: ["type": "string", "format": "date-time"]
        case .integer(let range):
            ["type": "integer", "minimum": range.lowerBound, "maximum": range.upperBound]
        case .number: ["type": "number"]
        case .boolean: ["type": "boolean"]
        case .flag: ["type": "string", "enum": ["0", "1"]]
        case .choice(let choices): ["type": "string", "enum": choices]
        case .list(let element): ["type": "array", "items": json(element)]
        case .map(let value): ["type": "object", "additionalProperties": json(value)]
        case .object(let fields): object(fields, isClosed: true)
        case .schema(let name): ["$ref": "#/components/schemas/\(name)"]
        }
    }
}
