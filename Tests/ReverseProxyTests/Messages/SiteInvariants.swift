// SPDX-License-Identifier: Apache-2.0
import Wire

@testable import ReverseProxy

/// What holds for every request for a file. The same checks serve the tests and the fuzzer.
enum SiteInvariants {
    // Not kept: leak detection does not see through what an enumeration puts into unused bits of an address.
    private static var rules: [SiteRule] {
        [
            ("/a/*", "/b/:splat"), ("/:one/:two", "/:two/:one?x"), ("/*", "https://a.example/:splat"),
            ("/*", ":splat"),
        ].map { SiteRule(.init(from: $0.0, to: $0.1, status: 301, isForced: false)) }
    }
    private static let tag = Array("\"a\"".utf8)

    /// What is wrong with how the first request of a visitor's bytes is understood; nil when all is well.
    static func problem(in bytes: [UInt8]) -> String? {
        guard let end = MessageHead.end(in: bytes[...]),
            let head = try? MessageHead(Array(bytes[..<end]), request: true),
            (try? RequestRewriter.host(head)) != nil
        else { return nil }
        let request = SiteRequest(head)
        for size in [0, 1, 10, 1 << 40] {
            if case .part(let part) = request.range(of: size, tag: tag) {
                guard part.lowerBound >= 0, part.upperBound <= size, !part.isEmpty else {
                    return "a part of \(size) bytes from \(part.lowerBound) to \(part.upperBound)"
                }
            }
        }
        guard [200, 304, 412].contains(request.status(for: tag)) else { return "a status that is none" }
        _ = (request.accepts("gzip"), request.accepts("br"), request.isNavigation)
        guard let path = request.path else { return nil }
        guard !path.isEmpty, !path.contains(0) else { return "a path that is empty or holds NUL" }
        for (place, rule) in rules.enumerated() {
            guard let target = rule.target(of: SiteRule.segments(path), query: request.query) else {
                continue
            }
            guard target.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
                return "a place with control characters"
            }
            if place < 2,
                target.first != 0x2F || target.dropFirst().first == 0x2F || target.dropFirst().first == 0x5C
            {
                return "a place at another host"
            }
        }
        return nil
    }
}
