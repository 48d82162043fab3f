// SPDX-License-Identifier: Apache-2.0
import Foundation
import KintoCore
import TestSupport
import Testing
import Wire

@testable import Rollout

/// A proxy hands over to another: real processes, each under its supervisor.
@Suite(.timeLimit(.minutes(20)))
struct ReplacementTests {
    @Test func anotherVersionTakesOverAndTheOldOneEndsWhenItsTunnelDoes() async throws {
        try await Proxies.with { proxies in
            let old = try await proxies.process("1").ensure()
            #expect(try await proxies.process("1").ensure().process == old.process)
            try await proxies.route("a/1")
            let tunnel = try Line(proxies.port)
            #expect(try tunnel.upgrade())
            let kept = try Line(proxies.port)
            #expect(try kept.get().hasPrefix("HTTP/1.1 200 OK"))
            let new = try await proxies.process("2").ensure()
            #expect(new.version == "2")
            #expect(new.process != old.process)
            #expect(new.supervisor != old.supervisor)
            // A connection that rested in the old one has one answer more, and is told that it was the last.
            #expect(try kept.get().contains("\r\nConnection: close\r\n"))
            #expect(try tunnel.echo("still there"))
            #expect(try Line(proxies.port).get().hasPrefix("HTTP/1.1 200 OK"))
            #expect(old.process.isRunning)
            tunnel.close()
            try await until("the end of the old proxy") {
                !old.process.isRunning && old.supervisor?.isRunning == false
            }
        }
    }

    @Test func anotherAddressIsServedAndTheStablePortsStay() async throws {
        try await Proxies.with { proxies in
            try await proxies.process("1").ensure()
            let stable = try FreePort.take()
            try await proxies.route("a/1", port: stable)
            let other = try FreePort.take()
            let new = try await proxies.process("1", listen: "127.0.0.1:\(other)").ensure()
            #expect(new.addresses.plain == "127.0.0.1:\(other)")
            for port in [other, stable] {
                #expect(try Line(port).get().hasPrefix("HTTP/1.1 200 OK"))
            }
            try await until("the end of the old address") { (try? Line(proxies.port)) == nil }
            // The same port at all addresses, and back.
            for address in ["0.0.0.0", "127.0.0.1"] {
                try await proxies.process("1", listen: "\(address):\(other)").ensure()
                #expect(try Line(other).get().hasPrefix("HTTP/1.1 200 OK"))
            }
        }
    }

    @Test func otherLimitsAreTakenOver() async throws {
        try await Proxies.with { proxies in
            let old = try await proxies.process("1").ensure()
            let new = try await proxies.process("1", limits: ["idle-time=5s"]).ensure()
            #expect(new.process != old.process)
            #expect(try await proxies.routes.hello().limits == ["idle-time=5s"])
            #expect(try await proxies.process("1", limits: ["idle-time=5s"]).ensure().process == new.process)
        }
    }

    @Test func anAddressThatCannotBeHadLeavesTheOldProxy() async throws {
        try await Proxies.with { proxies in
            let old = try await proxies.process("1").ensure()
            try await proxies.route("a/1")
            let taken = try Line.listener()
            defer { Foundation.close(taken.fd) }
            await #expect {
                try await proxies.process("1", listen: "127.0.0.1:\(taken.port)").ensure()
            } throws: {
                ($0 as? Failure)?.code == "proxy-replace"
            }
            #expect(try await proxies.routes.hello().process == old.process)
            #expect(try Line(proxies.port).get().hasPrefix("HTTP/1.1 200 OK"))
            // Nothing is left of the attempts.
            #expect(ProxyPlace.all(in: proxies.home.proxies).count == 1)
        }
    }

    /// The new one dies before it is ready: orders that came meanwhile are the old one's.
    @Test func anAskerThatEndsChangesNothing() async throws {
        try await Proxies.with { proxies in
            let old = try await proxies.process("1").ensure()
            try await proxies.route("a/1")
            var sockets = try proxies.ask()
            #expect(sockets.count == 2)
            async let swap: Void = proxies.route("a/2")
            #expect(try Line(proxies.port).get().hasPrefix("HTTP/1.1 200 OK"))
            sockets = []
            try await swap
            #expect(try await proxies.routes.hello().process == old.process)
            #expect(try Line(proxies.port).get().hasPrefix("HTTP/1.1 200 OK"))
            #expect(try await proxies.process("2").ensure().version == "2")
        }
    }

    @Test func theOldProxyKilledWhileItIsAskedComesBackWhenTheAskerEnds() async throws {
        try await Proxies.with { proxies in
            let old = try await proxies.process("1").ensure()
            try await proxies.route("a/1")
            var sockets = try proxies.ask()
            old.process.send(SIGKILL)
            try await until("its end") { !old.process.isRunning }
            sockets = []
            _ = sockets
            try await until("its return") {
                (try? Line(proxies.port).get().hasPrefix("HTTP/1.1 200 OK")) == true
            }
            let back = try await proxies.routes.hello()
            #expect(back.process != old.process)
            #expect(try await proxies.process("2").ensure().version == "2")
        }
    }

    /// A release is not stopped while the old proxy has requests of it.
    @Test func aDrainWaitsForTheOldProxyToo() async throws {
        try await Proxies.with { proxies in
            let old = try await proxies.process("1").ensure()
            try await proxies.route("a/1")
            let tunnel = try Line(proxies.port)
            #expect(try tunnel.upgrade())
            let resting = try Line(proxies.port)
            try await proxies.process("2").ensure()
            try await proxies.route("a/2")
            let counters = try #require(try await proxies.routes.counters().first { $0.upstream == "a/1" })
            #expect(counters.inFlight == 1)
            // Each order occupies a thread of the proxy while it is carried out.
            let tasks = "/proc/\(old.process.pid)/task"
            try await until("the answer's end") { try Files.list(tasks).count == 3 }
            async let drained = proxies.routes.drain("a/1", .seconds(120))
            try await until("the order to drain") { try Files.list(tasks).count == 4 }
            // A request in the old proxy goes where the new one's table says.
            #expect(try resting.get().hasPrefix("HTTP/1.1 200 OK"))
            #expect(try await proxies.routes.counters().first { $0.upstream == "a/2" }?.requests == 1)
            tunnel.close()
            let (final, cut) = try await drained
            #expect(final.requests == 1)
            #expect(cut == 0)
        }
    }

    @Test func whatOutlivesItsTimeIsCutByTheDrain() async throws {
        try await Proxies.with { proxies in
            try await proxies.process("1").ensure()
            try await proxies.route("a/1")
            let tunnel = try Line(proxies.port)
            #expect(try tunnel.upgrade())
            let old = try await proxies.process("1").restart(drain: TimeSpan(milliseconds: 60_000))
            try await proxies.route("a/2")
            let (_, cut) = try await proxies.routes.drain("a/1", TimeSpan(milliseconds: 100))
            #expect(cut == 1)
            #expect(try tunnel.readToEnd() == "")
            // And by the end of the time that the old proxy has.
            let other = try Line(proxies.port)
            #expect(try other.upgrade())
            _ = try await proxies.process("1").restart(drain: TimeSpan(milliseconds: 100))
            #expect(try other.readToEnd() == "")
            try await until("the end of the old proxy") { old.supervisor?.isRunning == false }
        }
    }

    @Test func theOldProxyKilledWhileItDrainsStaysAway() async throws {
        try await Proxies.with { proxies in
            let old = try await proxies.process("1").ensure()
            try await proxies.route("a/1")
            let tunnel = try Line(proxies.port)
            #expect(try tunnel.upgrade())
            let new = try await proxies.process("1").restart()
            old.process.send(SIGKILL)
            try await until("the end of its supervisor") { old.supervisor?.isRunning == false }
            #expect(try await proxies.routes.hello().process == new.process)
            // The new one, killed, is started again, as ever.
            new.process.send(SIGKILL)
            try await until("its return") {
                (try? Line(proxies.port).get().hasPrefix("HTTP/1.1 200 OK")) == true
            }
            #expect(new.supervisor?.isRunning == true)
        }
    }

    @Test func ofTwoAtOnceOneServesAndTheOtherEnds() async throws {
        try await Proxies.with { proxies in
            try await proxies.process("1").ensure()
            try await proxies.route("a/1")
            // Of two servers, as it were: each starts its own.
            async let one = proxies.process("2").restart()
            async let other = proxies.process("3").restart()
            let results = [try? await one, try? await other].compactMap { $0 }
            #expect(!results.isEmpty)
            let serving = try await proxies.routes.hello().process
            #expect(results.contains { $0.process == serving })
            #expect(try Line(proxies.port).get().hasPrefix("HTTP/1.1 200 OK"))
            try await until("the end of all others") {
                ProxyPlace.all(in: proxies.home.proxies).filter { place in
                    (try? SupervisorState.read(place.state))?.supervisor.isRunning == true
                }.count == 1
            }
        }
    }
}
