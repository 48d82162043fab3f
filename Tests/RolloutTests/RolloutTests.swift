// SPDX-License-Identifier: Apache-2.0
import Foundation
import KintoCore
import Testing
import Wire

@testable import Rollout

struct RolloutTests {
    @Test(arguments: [
        ("python3 server.py", true), ("A=1 python3 x", false), ("cd x && ./y", false), ("./run $PORT", true),
        ("exec ./run", false), ("exit 7", false),
    ])
    func oneProgramTakesTheShellsPlace(command: String, isExec: Bool) {
        #expect(
            RolloutController.execForm(command).hasPrefix("exec ") == (isExec || command.hasPrefix("exec ")))
        #expect(RolloutController.execForm(command).hasSuffix(command))
    }

    @Test func portsAreGivenOutOnce() throws {
        let ports = PortAllocator()
        let taken = try (0..<50).map { _ in try ports.take() }
        #expect(Set(taken).count == 50)
        #expect(taken.allSatisfy { (20_000...29_999).contains($0) })
    }

    @Test func listenersAreFoundWithTheirOwner() throws {
        let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(raw) }
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = bind(raw, $0, length)
                _ = listen(raw, 1)
                _ = getsockname(raw, $0, &length)
            }
        }
        let port = UInt16(bigEndian: name.sin_port)
        #expect(Listeners.all(port: port).map(\.address) == ["127.0.0.1"])
        #expect(Listeners.owner(of: port)?.pid == getpid())
        // Another's tree does not have it: a probe of that one would not believe it.
        let other = Process()
        other.executableURL = URL(fileURLWithPath: "/bin/sleep")
        other.arguments = ["10"]
        try other.run()
        defer { kill(other.processIdentifier, SIGKILL) }
        let identity = try #require(ProcessIdentity(running: other.processIdentifier))
        #expect(Listeners.of(identity, port: port).isEmpty)
    }
}
