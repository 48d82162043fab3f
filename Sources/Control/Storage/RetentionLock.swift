// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import KintoCore
internal import Wire

/// Keeps what retention would delete where it is while somebody copies it (flock(2)).
struct RetentionLock: Sendable {
    static let name = "retention.lock"
    private let file: Descriptor

    /// For who copies. Waits for a deletion that runs.
    static func shared(_ home: Home) throws -> RetentionLock {
        let file = try Descriptor.open("\(home.path)/\(name)", O_RDWR | O_CREAT)
        try check("flock", name) { flock(file.raw, LOCK_SH) }
        return RetentionLock(file: file)
    }

    /// For who deletes: nil while somebody copies.
    static func exclusive(_ home: Home) throws -> RetentionLock? {
        let file = try Descriptor.open("\(home.path)/\(name)", O_RDWR | O_CREAT)
        return flock(file.raw, LOCK_EX | LOCK_NB) == 0 ? RetentionLock(file: file) : nil
    }
}
