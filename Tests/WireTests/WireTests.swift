// SPDX-License-Identifier: Apache-2.0
import Glibc
import TestSupport
import Testing

@testable import Wire

struct WireTests {
    @Test func fieldsSurviveTheWay() throws {
        var fields = Fields()
        fields.add("a", "1=2\nthree")
        fields.add("a", "")
        #expect(try Fields(decoding: fields.encoded()) == fields)
        #expect(throws: WireError.self) { try Fields(decoding: Array("=x\0".utf8)) }
        #expect(throws: WireError.self) { try Fields(decoding: Array("a=x".utf8)) }
    }

    @Test func theEndOfAFileIsReadWithoutTheRest() async throws {
        try await TemporaryDirectory.with { directory in
            let path = "\(directory)/log"
            try Files.replace(path, with: Array("one\ntwo\n".utf8), durable: false)
            #expect(try Files.tail(path, 4) == Array("two\n".utf8))
            #expect(try Files.tail(path, 100) == Array("one\ntwo\n".utf8))
            #expect(try Files.tail(path, 0).isEmpty)
            #expect(throws: SystemError.self) { try Files.tail("\(path)2", 4) }
            // Longer than what is read whole.
            #expect(truncate(path, 100 << 30) == 0)
            #expect(try Files.tail(path, 64 << 10) == [UInt8](repeating: 0, count: 64 << 10))
        }
    }

    @Test func routingTableSurvivesTheWay() throws {
        let table = RoutingTable(
            generation: 7,
            routes: [
                .init(
                    identifier: "a/production", hosts: ["a.localhost", "x.example"], port: 3000,
                    upstream: .init(identifier: "a/production/3", ports: [20_000, 20_001])),
                .init(identifier: "b/production", hosts: []),
            ])
        #expect(try RoutingTable(table.fields) == table)
        for request in [
            ProxyRequest.apply(table), .follow(table), .handOver(place: 7, milliseconds: 60_000),
            .handOver(place: nil, milliseconds: 0), .ready, .certificates,
        ] {
            #expect(try ProxyRequest(request.fields) == request)
        }
        for reply in [
            ProxyReply.sockets(table, ProxyAddresses(plain: "127.0.0.1:80"), ports: [3000, 3001]),
            .sockets(
                table, ProxyAddresses(plain: "0.0.0.0:80", secure: "0.0.0.0:443", redirects: false), ports: []
            ),
            .certificates([
                .init(name: "a", hosts: ["a.example", "*.a.example"], ends: 1_800_000_000),
                .init(name: "b", problem: "the key does not belong to the certificate"),
            ]),
        ] {
            #expect(try ProxyReply(reply.fields) == reply)
        }
    }

    @Test(arguments: [
        (Int64(0), "1970-01-01T00:00:00.000Z"), (951_782_400_123, "2000-02-29T00:00:00.123Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
    ])
    func timestampsAreRFC3339(milliseconds: Int64, text: String) {
        #expect(Timestamp(milliseconds: milliseconds).rfc3339 == text)
    }
}
