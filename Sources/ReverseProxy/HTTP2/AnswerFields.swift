// SPDX-License-Identifier: Apache-2.0
internal import CTLS

/// The head of an answer as fields of HTTP/2: names in lower case, the status among them, without what concerns one
/// connection of HTTP/1.1 only (RFC 9113, 8.2.2).
struct AnswerFields {
    private var bytes: [UInt8] = []
    private var parts: [(name: Range<Int>, value: Range<Int>)] = []

    init(_ head: MessageHead) {
        bytes.reserveCapacity(head.bytes.count)
        add(Array(":status".utf8)[...], head.bytes[head.second])
        for field in head.fields where field.kind == .contentLength || !field.kind.isHopByHop {
            add(head.bytes[field.name], head.bytes[field.value])
        }
    }

    private mutating func add(_ name: ArraySlice<UInt8>, _ value: ArraySlice<UInt8>) {
        let start = bytes.count
        bytes.append(contentsOf: name.lazy.map(MessageHead.lower))
        bytes.append(contentsOf: value)
        parts.append((start..<(start + name.count), (start + name.count)..<bytes.count))
    }

    /// The fields, for as long as the call takes.
    func withFields<R>(_ body: (UnsafeBufferPointer<kinto_h2_field>) -> R) -> R {
        bytes.withUnsafeBufferPointer { text in
            let fields = parts.map { part in
                kinto_h2_field(
                    name: text.baseAddress.map { $0 + part.name.lowerBound }, name_length: part.name.count,
                    value: text.baseAddress.map { $0 + part.value.lowerBound },
                    value_length: part.value.count)
            }
            return fields.withUnsafeBufferPointer(body)
        }
    }
}
