// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Wire

@testable import ReverseProxy

/// What visitors of a proxy see that another one has taken over from.
@Suite(.timeLimit(.minutes(20)))
struct RetirementTests {
    private let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    private let name = "a/production/1"

    private func retire(_ proxy: ProxyHarness) {
        proxy.proxy.accept(false)
        proxy.proxy.everywhere { $0.retire() }
    }

    @Test func aRestingConnectionHasOneAnswerMore() throws {
        let origin = try Origin.saying("here")
        try ProxyHarness.with { proxy in
            proxy.route(name, origin)
            let used = try proxy.visitor()
            try used.send(get)
            #expect(!(try used.readMessage().head.contains("Connection: close")))
            let fresh = try proxy.visitor()
            let lost = try proxy.visitor()
            // All are let in.
            try lost.send("GET / HTTP/1.1\r\nHost: b\r\n\r\n")
            #expect(try lost.readMessage().head.hasPrefix("HTTP/1.1 404 "))
            retire(proxy)
            for visitor in [used, fresh] {
                try visitor.send(get)
                let answer = try visitor.readMessage()
                #expect(answer.body == "here")
                #expect(answer.head.contains("Connection: close\r\n"))
                #expect(try visitor.readToEnd() == "")
            }
            // Also one that the proxy answers by itself.
            try lost.send("GET / HTTP/1.1\r\nHost: b\r\n\r\n")
            #expect(try lost.readMessage().head.contains("Connection: close\r\n"))
            #expect(try lost.readToEnd() == "")
            #expect(try proxy.ended.take())
        }
    }

    @Test func oneThatStaysQuietSeesAnEndAndNoReset() throws {
        let origin = try Origin.saying("here")
        try ProxyHarness.with { proxy in
            proxy.route(name, origin)
            let quiet = try proxy.visitor()
            try quiet.send(get)
            _ = try quiet.readMessage()
            retire(proxy)
            #expect(try quiet.readToEnd() == "")
            // It may have begun to ask in this very moment: the proxy reads that and does nothing with it.
            try quiet.send(get)
            #expect(try quiet.readToEnd() == "")
            #expect(origin.connections == 1)
            #expect(proxy.counters(name)?.requests == 1)
            quiet.endSending()
            #expect(try proxy.ended.take())
        }
    }

    @Test func requestsOnTheirWayAreAnsweredAndFollowTheNewTable() throws {
        let arrived = Slot<Bool>()
        let go = Slot<Bool>()
        let slow = try Origin { peer in
            _ = try peer.readHead()
            arrived.put(true)
            _ = try go.take()
            try peer.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold")
            _ = try peer.readToEnd()
        }
        let second = try Origin.saying("new")
        try ProxyHarness.with { proxy in
            proxy.route(name, slow)
            let waiting = try proxy.visitor()
            try waiting.send(get)
            _ = try arrived.take()
            let halfway = try proxy.visitor()
            try halfway.send("GET / HTTP/1.1\r\n")
            retire(proxy)
            proxy.route("a/production/2", second)
            try halfway.send("Host: a\r\n\r\n")
            #expect(try halfway.readMessage().body == "new")
            go.put(true)
            let answer = try waiting.readMessage()
            #expect(answer.body == "old")
            #expect(answer.head.contains("Connection: close\r\n"))
            #expect(try proxy.ended.take())
        }
    }

    @Test func whatIsThereAtTheEndOfTheTimeIsEndedProperly() throws {
        let origin = try Origin { peer in
            let head = try peer.readHead()
            if head.contains("Upgrade") {
                try peer.send(
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
            }
            _ = try peer.readToEnd()
        }
        try ProxyHarness.with { proxy in
            proxy.route(name, origin)
            let tunnel = try proxy.visitor()
            try tunnel.send(
                "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            _ = try tunnel.readHead()
            let waiting = try proxy.visitor()
            try waiting.send(get)
            let quiet = try proxy.visitor()
            try quiet.send("GET / HTTP/1.1\r\nHost: b\r\n\r\n")
            _ = try quiet.readMessage()
            retire(proxy)
            proxy.proxy.everywhere { $0.cut() }
            #expect(
                Array(try tunnel.readToEnd().utf8)
                    == Array(String(decoding: WebSocketFrames.close, as: UTF8.self).utf8))
            #expect(try waiting.readMessage().head.hasPrefix("HTTP/1.1 504 "))
            #expect(try quiet.readToEnd() == "")
            for visitor in [tunnel, waiting, quiet] { visitor.endSending() }
            #expect(try proxy.ended.take())
        }
    }
}
