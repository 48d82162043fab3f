// SPDX-License-Identifier: Apache-2.0
internal import KintoCore

/// Exit codes of a database that cannot be used, as sysexits.h has them, and of backups. A service manager should not start a server
/// again that ended with 65: somebody has to look first.
enum StorageExit {
    /// nil: the failure is not about the database.
    static func code(_ failure: Failure) -> Int32? {
        switch failure.code {
        case "store-locked", "store-full", "store-unwritable": 75
        case let code where code.hasPrefix("store-"): 65
        case "backup-exists", "backup-incomplete", "backup-failed", "home-not-empty": 3
        default: nil
        }
    }
}
