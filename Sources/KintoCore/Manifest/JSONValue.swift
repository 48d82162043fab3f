// SPDX-License-Identifier: Apache-2.0

/// A JSON value with its place in the text, so that every complaint can point at it.
struct JSONValue {
    indirect enum Kind {
        case null
        case bool(Bool)
        case number(String)
        case string(String)
        case array([JSONValue])
        case object([Member])
    }

    struct Member {
        let key: String
        let keyOffset: Int
        let value: JSONValue
    }

    let kind: Kind
    /// Byte offset of its first byte.
    let offset: Int

    /// What it is, in the words of a message.
    var name: String {
        switch kind {
        case .null: "null"
        case .bool: "a boolean"
        case .number: "a number"
        case .string: "a string"
        case .array: "a list"
        case .object: "an object"
        }
    }
}

/// A problem at a place of the text.
struct Finding: Error {
    let offset: Int
    let message: String
}
