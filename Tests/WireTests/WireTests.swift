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
                .init(
                    identifier: "c/production", hosts: ["c"],
                    upstream: .init(
                        identifier: "c/production/1", ports: [],
                        files: .init(
                            index: "/home of kinto/é=\n/index", isSite: true, fallback: "/index.html",
                            earlier: [
                                .init(index: "/b a/index", until: 1_800_000_000_000),
                                .init(index: "/c", until: -1),
                            ]))),
                .init(
                    identifier: "d/production", hosts: ["d"],
                    upstream: .init(
                        identifier: "d/production/1", ports: [20_002],
                        files: .init(index: "/d/index", isSite: false))),
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

    @Test func anIndexOfASiteIsReadAsItWasWritten() throws {
        var index = SiteIndex()
        #expect(try SiteIndex(index.fields) == index)
        index.heads = ["", "Content-Type: text/html\r\nX: y\r\n"]
        index.files = [
            .init(source: "tree/a b\n=.html", size: 0, tag: "t", type: "text/html"),
            .init(
                source: "tree/é", size: .max, tag: "", type: "t", gzip: .init(source: "s/0 1.gz", size: 5),
                brotli: .init(source: "tree/é.br", size: 0)),
        ]
        // One text to Swift.
        index.answers[Array("/\u{E9}".utf8)] = .file(0, head: 1)
        index.answers[Array("/e\u{301}".utf8)] = .file(1, head: 0)
        index.answers[Array("/ \n=".utf8)] = .moved("/x/")
        index.rules = [
            .init(from: "/a/*", to: "https://e.org/:splat", status: 302, isForced: true),
            .init(from: "/", to: "/b", status: 200, isForced: false),
        ]
        #expect(try SiteIndex(Fields(decoding: index.fields.encoded())) == index)
    }

    @Test(arguments: [
        [], ["site=2"], ["site=1", "head=x", "is=0 0"], ["site=1", "file=a", "at=/a", "is=0 0"],
        ["site=1", "file=a", "head=x", "is=0"], ["site=1", "file=a", "head=x", "is=-1 0"],
        ["site=1", "file=a", "head=x", "is=1 0"], ["site=1", "file=a", "size=-1"],
        ["site=1", "file=a", "size=99999999999999999999"], ["site=1", "file=a", "gzip=5"],
        ["site=1", "file=a", "gzip=x y"], ["site=1", "rule=/a", "status=x"],
    ])
    func anIndexThatIsNotWholeIsRefused(entries: [String]) throws {
        let bytes = Array(entries.map { "\($0)\u{0}" }.joined().utf8)
        #expect(throws: WireError.self) { try SiteIndex(Fields(decoding: bytes)) }
    }

    @Test func whatBelongsToNothingInAnIndexIsPassedOver() throws {
        let text = "site=1\u{0}size=5\u{0}gzip=1 a\u{0}to=/x\u{0}status=200\u{0}new=thing\u{0}"
        #expect(try SiteIndex(Fields(decoding: Array(text.utf8))) == SiteIndex())
    }

    @Test(arguments: [
        (Int64(0), "1970-01-01T00:00:00.000Z"), (951_782_400_123, "2000-02-29T00:00:00.123Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
    ])
    func timestampsAreRFC3339(milliseconds: Int64, text: String) {
        #expect(Timestamp(milliseconds: milliseconds).rfc3339 == text)
    }
}
