// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import KintoCore
internal import Wire

/// Exactly one server per home: a lock that the kernel drops with the process (flock(2)).
struct HomeLock: Sendable {
    private let file: Descriptor

    init(_ home: Home) throws {
        let file = try Descriptor.open(home.lock, O_RDWR | O_CREAT)
        guard flock(file.raw, LOCK_EX | LOCK_NB) == 0 else {
            let holder = (try? String(decoding: file.readAll(limit: 64), as: UTF8.self)) ?? ""
            throw Failure(
                code: "home-in-use",
                "another kinto server\(holder.isEmpty ? "" : " (pid \(holder))") uses \(home.path)",
                hints: [
                    .init("talk to it", command: "kinto status --home \(home.path)"),
                    .init("or give this one a home of its own with --home"),
                ])
        }
        ftruncate(file.raw, 0)
        try file.writeAll(Array(String(getpid()).utf8))
        self.file = file
    }
}
