// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Wire

@testable import ReverseProxy

/// Requests that wait for an instance, a pause and a closed service.
@Suite(.timeLimit(.minutes(20)))
struct HoldingTests {
    private let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    private let name = "a/production/1"

    private func route(
        _ upstream: String?, ports: [UInt16] = [], hold: Int = 180_000, paused: Bool = false,
        maintenance: Maintenance? = nil
    ) -> RoutingTable.Route {
        .init(
            identifier: "a/production", hosts: ["a"],
            upstream: upstream.map { .init(identifier: $0, ports: ports) }, hold: hold, paused: paused,
            maintenance: maintenance)
    }

    /// A port that nobody listens on.
    private func deadPort() throws -> UInt16 {
        try FreePort.take()
    }

    /// Its worker has read what was sent before when it has answered this.
    private func settle(_ proxy: ProxyHarness) throws {
        let other = try proxy.visitor()
        try other.send("GET / HTTP/1.1\r\nHost: b\r\n\r\n")
        #expect(try other.readMessage().head.hasPrefix("HTTP/1.1 404 "))
    }

    @Test func requestsWaitForTheFirstInstance() throws {
        let origin = try Origin.saying("late")
        try ProxyHarness.with { proxy in
            proxy.apply(route(nil))
            let visitors = try (0..<20).map { _ in try proxy.visitor() }
            for visitor in visitors { try visitor.send(get + get) }
            try settle(proxy)
            proxy.apply(route(name, ports: [origin.port]))
            for visitor in visitors {
                for _ in 0..<2 { #expect(try visitor.readMessage().body == "late") }
            }
            let counters = try proxy.idle(name)
            #expect(counters.requests == 40)
            #expect(counters.delayed == 20)
            #expect(counters.failed == 0)
        }
    }

    @Test func aBodyThatHasNotBeenSentWaitsToo() throws {
        let origin = try Origin { peer in
            let (_, body) = try peer.readMessage()
            try peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Sum: \(body.utf8.count)\r\n\r\n")
        }
        try ProxyHarness.with { proxy in
            proxy.apply(route(nil))
            let visitor = try proxy.visitor()
            let length = 3 << 20
            try visitor.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(length)\r\n\r\n")
            let body = [UInt8](repeating: 0x61, count: length)
            // What the proxy and the kernel take while nobody reads it.
            var sent = 0
            while case let count = visitor.sendWhatFits(Array(body[sent...])), count > 0 { sent += count }
            proxy.apply(route(name, ports: [origin.port]))
            try visitor.send(Array(body[sent...]))
            #expect(try visitor.readHead().contains("X-Sum: \(length)\r\n"))
        }
    }

    @Test func anInstanceThatIsStartedAgainFindsTheRequestsWaiting() throws {
        let port = try deadPort()
        try ProxyHarness.with { proxy in
            proxy.apply(route(name, ports: [port]))
            let visitors = try (0..<50).map { _ in try proxy.visitor() }
            for visitor in visitors {
                try visitor.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
            }
            try settle(proxy)
            let origin = try Origin(on: port) { peer in
                while true {
                    let (_, body) = try peer.readMessage()
                    try peer.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\(body)!")
                }
            }
            for visitor in visitors { #expect(try visitor.readMessage().body == "hi!") }
            let counters = try proxy.idle(name)
            #expect(counters.requests == 50)
            #expect(counters.delayed == 50)
            #expect(counters.failed == 0)
            _ = origin
        }
    }

    @Test func aRequestThatMayBeRepeatedOutlivesAnInstanceThatDies() throws {
        let dying = try Origin { peer in _ = try peer.readHead() }
        let healthy = try Origin.saying("second")
        try ProxyHarness.with { proxy in
            proxy.apply(route(name, ports: [dying.port, healthy.port]))
            for _ in 0..<10 {
                let visitor = try proxy.visitor()
                try visitor.send(get)
                #expect(try visitor.readMessage().body == "second")
            }
            #expect(dying.connections > 0)
            #expect(try proxy.idle(name).failed == 0)
        }
    }

    @Test func aPostIsNeverSentTwice() throws {
        let bodies = Slot<String>()
        let dying = try Origin { peer in bodies.put(try peer.readMessage().body) }
        try ProxyHarness.with { proxy in
            proxy.apply(route(name, ports: [dying.port]))
            let visitor = try proxy.visitor()
            try visitor.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
            #expect(try visitor.readMessage().head.hasPrefix("HTTP/1.1 502 "))
            #expect(try bodies.take() == "hi")
            #expect(dying.connections == 1)
        }
    }

    @Test func waitingEndsWithTheTime() throws {
        try ProxyHarness.with { proxy in
            proxy.apply(route(nil, hold: 300))
            let visitor = try proxy.visitor()
            try visitor.send(get)
            let answer = try visitor.readMessage()
            #expect(answer.head.hasPrefix("HTTP/1.1 503 "))
            #expect(answer.head.contains("Retry-After: 1\r\n"))
            // The connection lives on.
            let origin = try Origin.saying("now")
            proxy.apply(route(name, ports: [origin.port]))
            try visitor.send(get)
            #expect(try visitor.readMessage().body == "now")
        }
    }

    @Test func aVisitorWhoLeavesWaitsNoLonger() throws {
        try ProxyHarness.with { proxy in
            proxy.apply(route(nil))
            do {
                let visitor = try proxy.visitor()
                try visitor.send(get)
                visitor.reset()
            }
            let origin = try Origin.saying("x")
            proxy.apply(route(name, ports: [origin.port]))
            let other = try proxy.visitor()
            try other.send(get)
            #expect(try other.readMessage().body == "x")
            #expect(try proxy.idle(name).requests <= 2)
        }
    }

    @Test func aPauseHoldsRequestsAndLosesNone() throws {
        let origin = try Origin.saying("on")
        try ProxyHarness.with { proxy in
            proxy.apply(route(name, ports: [origin.port]))
            let visitor = try proxy.visitor()
            try visitor.send(get)
            #expect(try visitor.readMessage().body == "on")
            proxy.apply(route(name, ports: [origin.port], paused: true))
            try visitor.send(get)
            try settle(proxy)
            #expect(proxy.counters(name)?.requests == 1)
            proxy.apply(route(name, ports: [origin.port]))
            #expect(try visitor.readMessage().body == "on")
            #expect(try proxy.idle(name).delayed == 1)
        }
    }

    @Test func aClosedServiceTellsVisitorsAndServesTheAllowed() throws {
        let origin = try Origin.saying("in")
        try ProxyHarness.with { proxy in
            proxy.apply(
                route(name, ports: [origin.port], maintenance: .init(retryAfter: 120, page: "<h1>Soon</h1>")))
            let visitor = try proxy.visitor()
            for _ in 0..<2 {
                try visitor.send(get)
                let answer = try visitor.readMessage()
                #expect(answer.head.hasPrefix("HTTP/1.1 503 Service Unavailable\r\n"))
                #expect(answer.head.contains("Content-Type: text/html; charset=utf-8\r\n"))
                #expect(answer.head.contains("Retry-After: 120\r\n"))
                #expect(answer.body == "<h1>Soon</h1>")
            }
            let range = try #require(AddressRange("127.0.0.0/8"))
            proxy.apply(route(name, ports: [origin.port], maintenance: .init(allow: [range])))
            try visitor.send(get)
            #expect(try visitor.readMessage().body == "in")
            // With a body that nobody takes, the connection is closed after the answer.
            proxy.apply(route(name, ports: [origin.port], maintenance: .init()))
            try visitor.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel")
            #expect(try visitor.readMessage().head.contains("Connection: close\r\n"))
        }
    }

    @Test func anInstanceThatRefusesIsAskedAfterTheOthers() throws {
        let port = try deadPort()
        let origin = try Origin.saying("up")
        try ProxyHarness.with { proxy in
            proxy.apply(route(name, ports: [port, origin.port]))
            let began = ContinuousClock.now
            for _ in 0..<100 {
                let visitor = try proxy.visitor()
                try visitor.send(get)
                #expect(try visitor.readMessage().body == "up")
            }
            let counters = try proxy.idle(name)
            #expect(counters.failed == 0)
            // Once a second at most, not for every other request.
            #expect(counters.retried < max(25, UInt64((ContinuousClock.now - began) / .seconds(1)) + 3))
        }
    }

    @Test func answersAreCountedByKind() throws {
        let failing = try Origin { peer in
            while true {
                let head = try peer.readHead()
                try peer.send(
                    "HTTP/1.1 \(head.contains("/bad") ? "500 Oops" : "200 OK")\r\nContent-Length: 0\r\n\r\n")
            }
        }
        try ProxyHarness.with { proxy in
            proxy.apply(route(name, ports: [failing.port]))
            let visitor = try proxy.visitor()
            for path in ["/", "/bad", "/", "/bad", "/"] {
                try visitor.send("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
                _ = try visitor.readMessage()
            }
            let counters = try proxy.idle(name)
            #expect(counters.errors == 2)
            #expect(counters.recent == 5)
            #expect(counters.recentErrors == 2)
            #expect(counters.failed == 0)
        }
    }
}
