// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOEmbedded
import NIOHTTP1

/// Reads one message with llhttp as SwiftNIO sets it up.
enum LLHTTPReader {
    struct Malformed: Error {}

    /// nil when the message has not ended yet.
    static func request(_ bytes: some Collection<UInt8>) throws -> ReadMessage? {
        let channel = EmbeddedChannel()
        defer { _ = try? channel.finish() }
        try channel.pipeline.syncOperations.addHandler(
            ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)))
        try channel.writeInbound(ByteBuffer(bytes: bytes))
        var read = ReadMessage()
        var heads = 0
        while let part = try channel.readInbound(as: HTTPServerRequestPart.self) {
            switch part {
            case .head(let head):
                heads += 1
                read.first = Array(head.method.rawValue.utf8)
                read.second = Array(head.uri.utf8)
                read.fields = fields(head.headers)
            case .body(let part): read.body += part.readableBytesView
            case .end(let trailers):
                // With more behind it, it is not this message alone.
                guard try channel.readInbound(as: HTTPServerRequestPart.self) == nil, heads == 1 else {
                    throw Malformed()
                }
                read.trailers = trailers.map(fields) ?? []
                return read
            }
        }
        return nil
    }

    /// - Parameter atEnd: whether the connection has ended.
    static func response(_ bytes: some Collection<UInt8>, isHead: Bool, atEnd: Bool) throws -> ReadMessage? {
        let channel = EmbeddedChannel()
        defer { _ = try? channel.finish() }
        try channel.pipeline.syncOperations.addHandler(
            ByteToMessageHandler(
                HTTPResponseDecoder(leftOverBytesStrategy: .dropBytes, informationalResponseStrategy: .drop)))
        try channel.writeOutbound(
            HTTPClientRequestPart.head(
                HTTPRequestHead(version: .http1_1, method: isHead ? .HEAD : .GET, uri: "/")))
        try channel.writeInbound(ByteBuffer(bytes: bytes))
        if atEnd { _ = try channel.finish(acceptAlreadyClosed: true) }
        var read = ReadMessage()
        while let part = try channel.readInbound(as: HTTPClientResponsePart.self) {
            switch part {
            case .head(let head):
                read.first = Array(String(head.status.code).utf8)
                read.second = Array(head.status.reasonPhrase.utf8)
                read.fields = fields(head.headers)
            case .body(let part): read.body += part.readableBytesView
            case .end(let trailers):
                read.trailers = trailers.map(fields) ?? []
                return read
            }
        }
        return nil
    }

    private static func fields(_ headers: HTTPHeaders) -> [ReadMessage.Field] {
        headers.map { field in
            let value = Array(field.value.utf8)
            return .init(name: Array(field.name.lowercased().utf8), value: value)
        }
    }
}
