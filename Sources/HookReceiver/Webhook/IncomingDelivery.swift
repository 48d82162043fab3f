// SPDX-License-Identifier: Apache-2.0

/// A webhook request as it came: nothing of it is trusted, and nothing was parsed.
public struct IncomingDelivery: Sendable {
    /// Values by lower-case name, each as often as it was sent.
    private let fields: [String: [String]]
    /// The bytes that were sent.
    public let body: [UInt8]

    public init(_ fields: some Sequence<(String, String)>, body: [UInt8]) {
        self.fields = Dictionary(grouping: fields.map { ($0.0.lowercased(), $0.1) }, by: \.0).mapValues {
            $0.map(\.1)
        }
        self.body = body
    }

    /// The value of a header field that was sent once and is not empty. Two of a kind are as good as none: two readers
    /// could each take another.
    public func only(_ name: String) -> String? {
        guard let values = fields[name], values.count == 1, let value = values.first, !value.isEmpty else {
            return nil
        }
        return value
    }

    /// Whether the field was sent at all.
    public func has(_ name: String) -> Bool { fields[name] != nil }

    /// The media type without its parameters, in lower case.
    public var mediaType: String {
        (only("content-type") ?? "").prefix { $0 != ";" }.lowercased().filter { $0 != " " && $0 != "\t" }
    }
}
