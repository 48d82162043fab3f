// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport

/// JSON as a sender who means harm may write it: parts left out, twice, of another type, in another order, too deep, too
/// long, and not JSON at all.
struct PayloadMutator {
    private indirect enum Node {
        case object([(String, Node)])
        case array([Node])
        case raw(String)
    }

    var random: SplitMix
    private let seeds: [Node]

    init(_ bodies: [[UInt8]], seed: UInt64) throws {
        random = SplitMix(state: seed)
        seeds = try bodies.map {
            PayloadMutator.node(try JSONSerialization.jsonObject(with: Data($0), options: .fragmentsAllowed))
        }
    }

    private static func node(_ value: Any) -> Node {
        switch value {
        case let object as [String: Any]:
            .object(object.sorted { $0.key < $1.key }.map { ($0.key, node($0.value)) })
        case let array as [Any]: .array(array.map(node))
        case let text as String:
            .raw(
                "\"\(text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n").replacing("\r", with: "\\r").replacing("\t", with: "\\t"))\""
            )
        case let number as NSNumber: .raw("\(number)")
        default: .raw("null")
        }
    }

    /// Values that have broken other readers.
    private static let words = [
        "null", "true", "false", "0", "-0", "1e9999", "-1e9999", "123456789012345678901234567890", "0.1",
        "\"\"", "[]", "{}",
        "\"refs/heads/main\"", "\"refs/heads/\"", "\"refs/heads/-x\"", "\"refs/tags/v1\"", "\"refs/\"",
        "\"main\"",
        "\"0000000000000000000000000000000000000000\"", "\"\(String(repeating: "0", count: 64))\"",
        "\"\(String(repeating: "a", count: 40))\"", "\"\(String(repeating: "a", count: 64))\"", "\"\\ud800\"",
        "\"\\u0000\"",
        "\"\\ud83d\\ude00\"", "\"$(id)\"", "\"--upload-pack=x\"", "\"../../x\"", "\"\u{202E}x\"",
        "\"[skip ci]\"", "\"boom\"",
        "nul", "+1", ".5", "01", "\"\\x\"", "\"\n\"", "\u{FEFF}{}", "NaN", "'x'", "/**/1",
    ]

    /// The next input.
    mutating func next() -> [UInt8] {
        var node = seeds[Int.random(in: 0..<seeds.count, using: &random)]
        for _ in 0..<Int.random(in: 1...4, using: &random) { node = changed(node, depth: 0) }
        var text = Array(PayloadMutator.text(node).utf8)
        switch Int.random(in: 0..<10, using: &random) {
        case 0: flip(&text)
        case 1: text = Array(text.prefix(Int.random(in: 0...text.count, using: &random)))
        case 2:
            let depth = Int.random(in: 1...5000, using: &random)
            text =
                Array(String(repeating: "{\"a\":", count: depth).utf8) + text
                + Array(String(repeating: "}", count: depth).utf8)
        case 3: text += text
        default: break
        }
        return text
    }

    private mutating func flip(_ text: inout [UInt8]) {
        guard !text.isEmpty else { return }
        for _ in 0..<Int.random(in: 1...8, using: &random) {
            text[Int.random(in: 0..<text.count, using: &random)] = .random(in: 0...255, using: &random)
        }
    }

    private mutating func word() -> Node {
        .raw(PayloadMutator.words[Int.random(in: 0..<PayloadMutator.words.count, using: &random)])
    }

    /// A change somewhere below, more often near the top, where what decides is.
    private mutating func changed(_ node: Node, depth: Int) -> Node {
        switch node {
        case .raw: return word()
        case .array(var items):
            guard !items.isEmpty else { return .array([word()]) }
            let index = Int.random(in: 0..<items.count, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0: return word()
            case 1: items.remove(at: index)
            case 2: items += items.prefix(64)
            case 3: items[index] = word()
            default: items[index] = changed(items[index], depth: depth + 1)
            }
            return .array(items)
        case .object(var members):
            guard !members.isEmpty else { return .object([("ref", word())]) }
            let index = Int.random(in: 0..<members.count, using: &random)
            switch Int.random(in: 0..<8, using: &random) {
            case 0 where depth > 0: return word()
            case 1: members.remove(at: index)
            case 2: members.append((members[index].0, word()))
            case 3: members[index].1 = word()
            case 4: members.shuffle(using: &random)
            case 5:
                let other = Int.random(in: 0..<members.count, using: &random)
                members[index].1 = members[other].1
            default: members[index].1 = changed(members[index].1, depth: depth + 1)
            }
            return .object(members)
        }
    }

    private static func text(_ node: Node) -> String {
        switch node {
        case .raw(let text): text
        case .array(let items): "[" + items.map(text).joined(separator: ",") + "]"
        case .object(let members):
            "{" + members.map { "\"\($0.0)\":" + text($0.1) }.joined(separator: ",") + "}"
        }
    }
}
