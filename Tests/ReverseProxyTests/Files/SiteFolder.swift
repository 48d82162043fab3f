// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Wire

@testable import ReverseProxy

/// A directory with files and an index of them, as a deploy leaves it.
final class SiteFolder: Sendable {
    let path: String
    /// Absolute path of the index.
    var index: String { "\(path)/site/index" }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    init(_ files: [String: [UInt8]], rules: [SiteIndex.Rule] = [], more: (inout SiteIndex) -> Void = { _ in })
        throws
    {
        path = "/tmp/kinto-site-test-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        var made = SiteIndex()
        made.heads = ["Content-Type: text/html\r\n", "Content-Type: text/plain\r\n"]
        for (name, bytes) in files.sorted(by: { $0.key < $1.key }) {
            let place = "\(path)/tree/\(name)"
            try FileManager.default.createDirectory(
                atPath: (place as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            try Data(bytes).write(to: URL(fileURLWithPath: place))
            let isPage = name.hasSuffix(".html")
            made.answers[Array("/\(name)".utf8)] = .file(made.files.count, head: isPage ? 0 : 1)
            made.files.append(
                .init(
                    source: "tree/\(name)", size: bytes.count, tag: "tag-\(name)",
                    type: isPage ? "text/html; charset=utf-8" : "text/plain"))
        }
        made.rules = rules
        more(&made)
        try FileManager.default.createDirectory(
            atPath: "\(path)/site", withIntermediateDirectories: true)
        try Files.replace(index, with: made.fields.encoded())
    }

    convenience init(texts: [String: String], rules: [SiteIndex.Rule] = []) throws {
        try self.init(texts.mapValues { Array($0.utf8) }, rules: rules)
    }

    func site() throws -> Site { try Site(index) }
}

extension ProxyHarness {
    /// Answers for host `a` with files.
    @discardableResult
    func route(
        _ name: String = "a/production/1", files folder: SiteFolder, isSite: Bool = true,
        fallback: String? = nil, earlier: [StaticFiles.Earlier] = [], ports: [UInt16] = []
    ) -> ProxyReply {
        apply(
            .init(
                identifier: "a/production", hosts: ["a"],
                upstream: .init(
                    identifier: name, ports: ports,
                    files: .init(index: folder.index, isSite: isSite, fallback: fallback, earlier: earlier))))
    }
}

extension MessageHead {
    /// - Parameter fields: whole lines but for their ends.
    static func request(_ target: String, _ method: String = "GET", _ fields: String...) throws -> MessageHead
    {
        let lines = ["\(method) \(target) HTTP/1.1", "Host: a"] + fields
        return try MessageHead(Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8), request: true)
    }
}

extension Worker {
    /// Of all visitors: what came and was not taken, and what they have not read.
    var waitingBytes: Int {
        endpoints.reduce(0) { sum, endpoint in
            guard let client = endpoint as? ClientConnection else { return sum }
            return sum + client.input.count + client.output.count
        }
    }
}
