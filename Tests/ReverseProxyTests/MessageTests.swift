// SPDX-License-Identifier: Apache-2.0
import Testing
import Wire

@testable import ReverseProxy

struct MessageTests {
    private func refusal(_ text: String) -> Int? {
        do throws(MessageHead.Refusal) {
            let head = try MessageHead(Array(text.utf8), request: true)
            _ = try head.framing()
            _ = try RequestRewriter.host(head)
            return nil
        } catch { return error.status }
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", 501),
        ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", 400),
        ("GET / HTTP/1.1\nHost: a\n\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400),
    ])
    func ambiguousHeadsAreRefused(text: String, status: Int) { #expect(refusal(text) == status) }

    @Test(arguments: [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /x?y HTTP/1.1\r\nhost: A.b:80\r\nContent-Length: 12\r\n\r\n", "GET / HTTP/1.0\r\n\r\n",
        "GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n",
    ])
    func plainHeadsAreTaken(text: String) { #expect(refusal(text) == nil) }

    @Test func chunksAreReframedAtEverySplit() throws {
        let text = Array("4;ext=1\r\nWiki\r\n5\r\npedia\r\n0\r\nTrailer: x\r\n\r\nNEXT".utf8)
        for split in 0...text.count {
            var body = BodyFraming(.chunked, output: .plain)
            var (input, out) = (ByteQueue(), ByteQueue())
            input.append(text[..<split])
            try body.move(&input, to: &out)
            input.append(text[split...])
            try body.move(&input, to: &out)
            #expect(body.isDone)
            #expect(Array(out.bytes) == Array("Wikipedia".utf8))
            #expect(Array(input.bytes) == Array("NEXT".utf8))
        }
    }

    @Test(arguments: [
        "+5\r\nhello\r\n", "5 \nhello", "fffffffffffffffff\r\n", "5\r\nhelloX", "0x5\r\n", "\r\n", "-1\r\n",
    ])
    func malformedChunksAreRefused(text: String) {
        var body = BodyFraming(.chunked, output: .chunks)
        var (input, out) = (ByteQueue(), ByteQueue())
        input.append(text.utf8)
        #expect(throws: BodyFraming.Malformed.self) { try body.move(&input, to: &out) }
    }

    @Test func randomBytesNeverTrap() {
        var generator = SystemRandomNumberGenerator()
        let seed = Array("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)
        for _ in 0..<5000 {
            var bytes = seed
            for _ in 0..<3 {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(
                    in: 0...255, using: &generator)
            }
            if let head = try? MessageHead(bytes, request: true) {
                #expect(head.fields.count <= ProxyLimits().headerFields)
            }
            var body = BodyFraming(.chunked, output: .chunks)
            var (input, out) = (ByteQueue(), ByteQueue())
            input.append(bytes)
            _ = try? body.move(&input, to: &out)
            #expect(out.count <= bytes.count * 8 + 64)
        }
    }
}
