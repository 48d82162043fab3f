// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import Testing

@testable import Wire

/// `Files.removeTree`: what others made is removed whatever they made it like.
struct TreeRemovalTests {
    private func tree(_ body: (String) throws -> Void) throws {
        let parent = NSTemporaryDirectory() + "kinto-removal-\(UUID().uuidString)"
        try Files.makeDirectories(parent)
        defer { try? FileManager.default.removeItem(atPath: parent) }
        try body("\(parent)/tree")
        #expect(try Files.list(parent) == [])
    }

    private func touch(_ directory: Int32, _ name: [UInt8]) {
        let file = openat(directory, name.map { CChar(bitPattern: $0) } + [0], O_WRONLY | O_CREAT, 0o600)
        #expect(file >= 0)
        close(file)
    }

    @Test func namesOfAnyBytes() throws {
        try tree { path in
            try Files.makeDirectories(path)
            let directory = try Descriptor.open(path, O_RDONLY | O_DIRECTORY)
            for name: [UInt8] in [
                Array("bad".utf8) + [0xFF] + Array(".txt".utf8), [0x80], Array("\u{FFFD}".utf8), [0x0A],
                [0x5C],
            ] {
                touch(directory.raw, name)
                let inner = [0xFE] + name
                #expect(mkdirat(directory.raw, inner.map { CChar(bitPattern: $0) } + [0], 0o500) == 0)
            }
            try Files.removeTree(path)
        }
    }

    /// Deeper than descriptors or a stack would do, with files and directories at each depth.
    @Test(arguments: [31, 32, 33, 64, 5_000]) func depth(_ depth: Int) throws {
        try tree { path in
            try Files.makeDirectories(path)
            var directory = try Descriptor.open(path, O_RDONLY | O_DIRECTORY)
            for _ in 0..<depth {
                touch(directory.raw, Array("file".utf8))
                #expect(mkdirat(directory.raw, "side", 0o500) == 0)
                #expect(mkdirat(directory.raw, ".kinto-deep-1", 0o700) == 0)
                #expect(mkdirat(directory.raw, "d", 0o700) == 0)
                directory = Descriptor(owning: openat(directory.raw, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC))
            }
            try Files.removeTree(path)
        }
    }

    @Test func nothingBehindALink() throws {
        try tree { path in
            let kept = NSTemporaryDirectory() + "kinto-kept-\(UUID().uuidString)"
            try Files.makeDirectories("\(kept)/inner")
            defer { try? FileManager.default.removeItem(atPath: kept) }
            try Files.makeDirectories(path)
            #expect(symlink(kept, "\(path)/link") == 0)
            #expect(symlink("nowhere", "\(path)/dangling") == 0)
            try Files.removeTree(path)
            #expect(Files.exists("\(kept)/inner"))
            try Files.removeTree(path)
            #expect(symlink(kept, path) == 0)
            try Files.removeTree(path)
            #expect(Files.exists("\(kept)/inner"))
        }
    }
}
