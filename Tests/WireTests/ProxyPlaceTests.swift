// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import Wire

struct ProxyPlaceTests {
    @Test func oneOfThePlacesIsTheOneThatServes() throws {
        let parent = "/tmp/kinto-places-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        try Files.makeDirectories(parent)
        defer { try? Files.removeTree(parent) }
        #expect(ProxyPlace.current(in: parent) == nil)
        let first = try ProxyPlace.make(in: parent)
        #expect(!first.isCurrent)
        try first.makeCurrent()
        let second = try ProxyPlace.make(in: parent)
        #expect(first.isCurrent)
        #expect(second.number == 2)
        #expect(second.others == [first])
        try second.makeCurrent()
        #expect(ProxyPlace.current(in: parent) == second)
        #expect(first.parent == parent)
        // Nothing else lies there, and other names are no places.
        try Files.makeDirectories("\(parent)/7x")
        #expect(try Set(Files.list(parent)) == ["1", "2", "7x", "current"])
        #expect(Set(ProxyPlace.all(in: parent)) == [first, second])
    }

    @Test func descriptorsGoOverASocket() throws {
        var ends: [Int32] = [-1, -1]
        #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        let (one, other) = (Descriptor(owning: ends[0]), Descriptor(owning: ends[1]))
        let path = "/tmp/kinto-passing-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        let file = try Descriptor.open(path, O_RDWR | O_CREAT)
        unlink(path)
        for _ in 0..<50 { try UnixSocket.send(file, over: one) }
        try one.writeAll([7])
        for _ in 0..<49 { _ = try UnixSocket.receive(from: other) }
        let same = try UnixSocket.receive(from: other)
        #expect(fcntl(same.raw, F_GETFD) & FD_CLOEXEC != 0)
        try same.writeAll(Array("same".utf8))
        #expect(lseek(file.raw, 0, SEEK_CUR) == 4)
        // A byte without a descriptor is told from one with it.
        #expect(throws: SystemError("recvmsg", code: EPROTO)) { _ = try UnixSocket.receive(from: other) }
    }
}
