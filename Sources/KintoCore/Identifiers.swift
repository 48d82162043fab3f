// SPDX-License-Identifier: Apache-2.0

/// The name of a service: `[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?`, so that it is one path component, one host name
/// label and one word of a shell at once.
public struct ServiceName: Sendable, Hashable, Comparable, Codable, CustomStringConvertible {
    public let description: String

    /// - Throws: `Failure` of code `invalid-name`, which says what is allowed.
    public init(_ text: String) throws(Failure) {
        description = try label(text, what: "a service name")
    }

    public static func < (a: ServiceName, b: ServiceName) -> Bool { a.description < b.description }

    public init(from decoder: any Decoder) throws { try self.init(String(from: decoder)) }
    public func encode(to encoder: any Encoder) throws { try description.encode(to: encoder) }
}

/// The name of an environment of a service; same form as a service's.
public struct EnvironmentName: Sendable, Hashable, Comparable, Codable, CustomStringConvertible {
    public let description: String

    public static let production = EnvironmentName(unchecked: "production")

    /// - Throws: `Failure` of code `invalid-name`.
    public init(_ text: String) throws(Failure) {
        description = try label(text, what: "an environment name")
    }

    private init(unchecked text: String) { description = text }

    public static func < (a: EnvironmentName, b: EnvironmentName) -> Bool { a.description < b.description }

    public init(from decoder: any Decoder) throws { try self.init(String(from: decoder)) }
    public func encode(to encoder: any Encoder) throws { try description.encode(to: encoder) }
}

/// One environment of one service: what releases are numbered in and what is rolled out.
public struct Target: Sendable, Hashable, Codable, CustomStringConvertible {
    public let service: ServiceName
    public let environment: EnvironmentName

    public init(service: ServiceName, environment: EnvironmentName = .production) {
        self.service = service
        self.environment = environment
    }

    /// `SERVICE/ENVIRONMENT`
    public var description: String { "\(service)/\(environment)" }

    /// What names it in a command: `hello`, `hello -e staging`.
    public var words: String {
        environment == .production ? service.description : "\(service) -e \(environment)"
    }

    /// The host name label: the service's name, with `--ENVIRONMENT` outside production.
    public var label: String {
        environment == .production ? service.description : "\(service)--\(environment)"
    }

    /// The host name that it has whatever its settings say.
    public var ownHost: String { "\(label).localhost" }
}

/// The full name of a commit: 40 lower-case hexadecimal digits.
public struct CommitID: Sendable, Hashable, Codable, CustomStringConvertible {
    public let description: String

    /// nil unless `text` is exactly 40 hexadecimal digits.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == 40, bytes.allSatisfy({ isHexadecimal($0) }) else { return nil }
        description = text.lowercased()
    }

    /// The first seven digits, as people write it.
    public var short: String { String(description.prefix(7)) }
    /// All zeros: what git says for "no commit".
    public var isZero: Bool { description.utf8.allSatisfy { $0 == UInt8(ascii: "0") } }

    public init(from decoder: any Decoder) throws {
        let text = try String(from: decoder)
        guard let value = CommitID(text) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "not a commit"))
        }
        self = value
    }
    public func encode(to encoder: any Encoder) throws { try description.encode(to: encoder) }
}

private func isHexadecimal(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
        UInt8(ascii: "A")...UInt8(ascii: "F"):
        true
    default: false
    }
}

private func label(_ text: String, what: String) throws(Failure) -> String {
    let bytes = Array(text.utf8)
    func alphanumeric(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
    guard let first = bytes.first, let last = bytes.last, bytes.count <= 63, alphanumeric(first),
        alphanumeric(last),
        bytes.allSatisfy({ alphanumeric($0) || $0 == UInt8(ascii: "-") })
    else {
        let shown = text.unicodeScalars.prefix(40).map { $0.escaped(asASCII: true) }.joined()
        throw Failure(
            code: "invalid-name",
            "'\(shown)\(bytes.count > 40 ? "…" : "")' is not \(what): 1 to 63 of a-z, 0-9 and '-', "
                + "beginning and ending with a letter or digit")
    }
    return text
}
