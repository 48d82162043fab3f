// SPDX-License-Identifier: Apache-2.0

/// What a request for a file says besides its Host.
struct SiteRequest {
    enum Method { case get, head, options, other }

    let method: Method
    /// Decoded; nil when it is malformed.
    let path: [UInt8]?
    /// Without `?`.
    let query: ArraySlice<UInt8>
    private let head: MessageHead

    init(_ head: MessageHead) {
        self.head = head
        let word = head.bytes[head.first]
        method =
            word.elementsEqual("GET".utf8)
            ? .get
            : word.elementsEqual("HEAD".utf8)
                ? .head : word.elementsEqual("OPTIONS".utf8) ? .options : .other
        var target = head.bytes[head.second]
        // The absolute form, whose authority was read as the Host.
        if target.first != UInt8(ascii: "/") {
            target = target.dropFirst("http://".utf8.count).drop {
                $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?")
            }
        }
        let question = target.firstIndex(of: UInt8(ascii: "?"))
        query = question.map { target[($0 + 1)...] } ?? []
        let path = SiteRequest.decoded(question.map { target[..<$0] } ?? target)
        self.path = path?.isEmpty == true ? [UInt8(ascii: "/")] : path
    }

    private static func decoded(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        guard text.contains(UInt8(ascii: "%")) else { return Array(text) }
        var out: [UInt8] = []
        var index = text.startIndex
        while index < text.endIndex {
            guard text[index] == UInt8(ascii: "%") else {
                out.append(text[index])
                index += 1
                continue
            }
            guard text.endIndex - index >= 3, let high = digit(text[index + 1]),
                let low = digit(text[index + 2]), high << 4 | low != 0
            else { return nil }
            out.append(high << 4 | low)
            index += 3
        }
        return out
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }

    /// Whether a browser is navigated: it wants a page, or what it wants has no name of a file.
    var isNavigation: Bool {
        if head.values("accept").contains(where: { SiteRequest.contains($0, "text/html") }) { return true }
        let name = path?.split(separator: UInt8(ascii: "/")).last ?? []
        return !name.contains(UInt8(ascii: "."))
    }

    private static func contains(_ value: ArraySlice<UInt8>, _ word: StaticString) -> Bool {
        value.split(separator: UInt8(ascii: ",")).contains {
            MessageHead.begins(MessageHead.trim($0), word)
        }
    }

    /// Whether the visitor takes a coding: it is listed, and not with a weight of 0 (RFC 9110, 12.5.3).
    func accepts(_ coding: StaticString) -> Bool {
        head.values("accept-encoding").contains { value in
            value.split(separator: UInt8(ascii: ",")).contains { item in
                let parts = item.split(separator: UInt8(ascii: ";"))
                guard let name = parts.first, MessageHead.same(MessageHead.trim(name), coding) else {
                    return false
                }
                let weight = parts.dropFirst().map { MessageHead.trim($0) }.first {
                    MessageHead.begins($0, "q=")
                }
                return weight?.dropFirst(2).allSatisfy { $0 == UInt8(ascii: "0") || $0 == UInt8(ascii: ".") }
                    != true
            }
        }
    }

    /// What the visitor's conditions make of a file with this entity tag (RFC 9110, 13.2.2): 200, 304 or 412.
    func status(for tag: [UInt8]) -> Int {
        let matches = head.values("if-match")
        if !matches.isEmpty, !matches.contains(where: { SiteRequest.lists($0, tag, weakly: false) }) {
            return 412
        }
        return head.values("if-none-match").contains { SiteRequest.lists($0, tag, weakly: true) } ? 304 : 200
    }

    /// - Parameter tag: with its quotes.
    private static func lists(_ value: ArraySlice<UInt8>, _ tag: [UInt8], weakly: Bool) -> Bool {
        if value.elementsEqual("*".utf8) { return true }
        return value.split(separator: UInt8(ascii: ",")).contains { item in
            let item = MessageHead.trim(item)
            return item.elementsEqual(tag)
                || weakly && item.starts(with: "W/".utf8) && item.dropFirst(2).elementsEqual(tag)
        }
    }

    enum Range { case whole, part(Swift.Range<Int>), outside }

    /// The one range that is asked for; several, and what is none, mean the whole (RFC 9110, 14.2).
    func range(of size: Int, tag: [UInt8]) -> Range {
        let values = head.values("range")
        guard values.count == 1, let value = values.first, method == .get else { return .whole }
        if let condition = head.values("if-range").first, !condition.elementsEqual(tag) { return .whole }
        guard MessageHead.begins(value, "bytes=") else { return .whole }
        let ends = value.dropFirst("bytes=".utf8.count).split(
            separator: UInt8(ascii: "-"), omittingEmptySubsequences: false
        ).map { MessageHead.trim($0) }
        guard ends.count == 2 else { return .whole }
        switch (End(ends[0]), End(ends[1])) {
        case (.empty, .at(let length)):
            return length > 0 && size > 0 ? .part(max(0, size - length)..<size) : .outside
        case (.at(let first), .empty): return first < size ? .part(first..<size) : .outside
        case (.at(let first), .at(let last)) where first <= last:
            return first < size ? .part(first..<(min(last, size - 1) + 1)) : .outside
        default: return .whole
        }
    }

    /// One end of a range.
    private enum End {
        case empty
        case at(Int)
        case malformed

        init(_ text: ArraySlice<UInt8>) {
            if text.isEmpty {
                self = .empty
            } else if text.count <= 18, text.allSatisfy({ (0x30...0x39).contains($0) }) {
                self = .at(text.reduce(0) { $0 * 10 + Int($1 - 0x30) })
            } else {
                self = .malformed
            }
        }
    }

    /// Whether the file is asked for as it is.
    var wantsRange: Bool { !head.values("range").isEmpty }
}
