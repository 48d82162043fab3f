// SPDX-License-Identifier: Apache-2.0

/// The form of a value that the API takes or gives: what the OpenAPI document says of it and what requests are held to.
indirect enum Shape: Sendable {
    /// At most so many bytes.
    case text(Int)
    /// Of a service.
    case name
    /// The same form, of an environment.
    case environment
    /// RFC 3339
    case time
    case integer(ClosedRange<Int>)
    case number
    case boolean
    /// `0` or `1`, of a query.
    case flag
    case choice([String])
    case list(Shape)
    /// By keys that are not known beforehand.
    case map(Shape)
    case object([Field])
    /// One of ``Schemas``.
    case schema(String)

    static let text = Shape.text(1 << 20)
    static let integer = Shape.integer(0...Int(Int32.max))
    /// What JSON readers that know nothing but doubles take without loss.
    static let bytes = Shape.integer(0...(1 << 53))

    /// In words, after "has to be".
    var words: String {
        switch self {
        case .text(let most): "a text of at most \(most) bytes"
        case .name, .environment: "a name of letters a to z, digits and '-'"
        case .time: "a time"
        case .integer(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .number: "a number"
        case .boolean: "true or false"
        case .flag: "0 or 1"
        case .choice(let choices): "one of \(choices.joined(separator: ", "))"
        case .list: "a list"
        case .map, .object, .schema: "an object"
        }
    }
}

/// A member of an object, or a parameter of a query.
struct Field: Sendable {
    let name: String
    let shape: Shape
    var isRequired = true
    var note = ""

    static func required(_ name: String, _ shape: Shape, _ note: String = "") -> Field {
        Field(name: name, shape: shape, note: note)
    }

    /// May be null or missing.
    static func optional(_ name: String, _ shape: Shape, _ note: String = "") -> Field {
        Field(name: name, shape: shape, isRequired: false, note: note)
    }
}

/// A method of a path: what it is asked and what it answers.
struct Operation: Sendable {
    enum Answer: Sendable {
        case json(Shape)
        case none
        case text
        /// Plain text, or Server-Sent Events when they are asked for.
        case log
        case events
        case document
    }

    let method: String
    /// With `{name}` for what varies.
    let path: String
    let access: RouteAccess
    let summary: String
    var query: [Field] = []
    /// nil: it has no body, or one that is not held to this document (`/hooks`).
    var body: [Field]?
    let answers: [(status: Int, answer: Answer)]
    /// Statuses of problems beside those that all have.
    var problems: [Int] = []
    var isOpen: Bool { access.role == nil }

    var identifier: String {
        let words = path.split(separator: "/").filter { $0 != "api" && $0 != "v1" && !$0.hasPrefix("{") }
        let last = path.hasSuffix("}") ? ["one"] : []
        return ([method.lowercased()] + words.map { String($0) } + last).joined(separator: "-")
    }
}
