// SPDX-License-Identifier: Apache-2.0
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import ReverseProxy

/// Mutations of the corpus over real connections: the proxy does with them what the checks without sockets say.
struct RandomBytesTests {
    private let name = "a/production/1"

    @Test func anInstanceGetsWhatWasRead() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var mutator = MessageMutator(
            seed: seed, corpus: try Corpus.messages().filter { !$0.starts(with: "HTTP/".utf8) })
        var generator = SeededGenerator(seed: seed)
        let seen = Mutex<[ReadMessage]>([])
        let origin = try Origin { peer in
            var bytes: [UInt8] = []
            while true {
                let more = try peer.readSome()
                if more.isEmpty { return }
                bytes += more
                guard let message = try? PlainReader.read(bytes) else { continue }
                seen.withLock { $0.append(message) }
                bytes = []
                try peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            }
        }
        try ProxyHarness.with { proxy in
            proxy.route(name, origin)
            var delivered = 0
            for _ in 0..<300 {
                let bytes = mutator.next()
                var reader = ProxyReader(bytes, splits: nil)
                var expected: [ReadMessage] = []
                while reader.request() == .message {
                    if Router.name(reader.host[...]).elementsEqual("a".utf8) {
                        expected.append(try PlainReader.read(reader.written))
                    }
                }
                seen.withLock { $0 = [] }
                let visitor = try proxy.visitor()
                var sent = 0
                while sent < bytes.count {
                    let count = min(bytes.count - sent, Int.random(in: 1...64, using: &generator))
                    // It may have been refused by now.
                    guard (try? visitor.send(Array(bytes[sent..<(sent + count)]))) != nil else { break }
                    sent += count
                }
                visitor.endSending()
                _ = try? visitor.readToEnd()
                _ = try proxy.idle(name)
                // The connection may end before its last request; never is there another one, or one more.
                let got = seen.withLock { $0 }
                #expect(got.elementsEqual(expected.prefix(got.count)), "seed \(seed): \(text(bytes))")
                delivered += got.count
            }
            #expect(delivered > 20)
        }
    }

    @Test func aVisitorGetsWhatWasRead() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var mutator = MessageMutator(
            seed: seed, corpus: try Corpus.messages().filter { $0.starts(with: "HTTP/".utf8) })
        let answer = Mutex<[UInt8]>([])
        let origin = try Origin { peer in
            _ = try peer.readMessage()
            try peer.send(answer.withLock { $0 })
            peer.endSending()
            _ = try peer.readToEnd()
        }
        try ProxyHarness.with { proxy in
            proxy.route(name, origin)
            var passed = 0
            for _ in 0..<300 {
                let bytes = mutator.next()
                answer.withLock { $0 = bytes }
                var reader = ProxyReader(bytes, splits: nil)
                let outcome = reader.response(isHead: false, minor: 1)
                let visitor = try proxy.visitor()
                try visitor.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                var got: [UInt8] = []
                while let more = try? visitor.readSome(), !more.isEmpty { got += more }
                // Interim answers first.
                while got.starts(with: "HTTP/1.1 1".utf8), let end = MessageHead.end(in: got[...]) {
                    got.removeSubrange(..<end)
                }
                let message = try? PlainReader.read(got, isHead: false)
                if outcome == .message {
                    let wanted = try PlainReader.read(reader.written, isHead: false)
                    #expect(
                        message?.first == wanted.first && message?.body == wanted.body
                            && message?.trailers == wanted.trailers, "seed \(seed): \(text(bytes))")
                    passed += 1
                } else {
                    // A 502, or an answer that was cut and does not look whole.
                    #expect(
                        message == nil || message?.first == Array("502".utf8), "seed \(seed): \(text(bytes))")
                }
            }
            #expect(passed > 20)
        }
    }
}
