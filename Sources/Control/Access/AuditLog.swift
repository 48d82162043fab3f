// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Logging
internal import Synchronization
internal import Wire

/// Writes the audit log. What cannot be written does not keep anything from being done (what may be wrong with the disk is
/// what somebody is here to mend): it goes to the server's own log then, whole, as an error.
final class AuditLog: Sendable {
    /// Of what one account is refused, and of all sign-ins that fail: so many at once, and one more each `interval`. A flood of
    /// them must not push out what was done, nor hide another's.
    static let burst = 60.0
    static let interval = Duration.seconds(10)

    private let store: Store
    private let settings: RetentionSettings
    private let logger: Logger
    private let allowances = Mutex<[String: Allowance]>([:])

    init(store: Store, settings: RetentionSettings, logger: Logger) {
        self.store = store
        self.settings = settings
        self.logger = logger
    }

    /// Durable when it returns: an action that is cut short by the server's death is found as `begun`.
    func begin(_ entry: AuditEntry) async -> AuditEntry {
        var entry = entry
        entry.result = AuditEntry.begun
        entry.id = await write(entry)
        return entry
    }

    func complete(_ entry: AuditEntry) async {
        guard entry.id != 0 else { return await record(entry) }
        do { try await store.complete(entry) } catch { complain(entry, error) }
    }

    func record(_ entry: AuditEntry) async { _ = await write(entry) }

    /// What was refused.
    func refused(_ entry: AuditEntry) async {
        // Only an account has a role; there are as many of them as admins have made.
        let whose = entry.role == nil ? "" : entry.who
        let fresh = Allowance(burst: AuditLog.burst, every: AuditLog.interval)
        guard let skipped = allowances.withLock({ $0[whose, default: fresh].take() }) else { return }
        var entry = entry
        if skipped > 0 {
            entry.what += "\(entry.what.isEmpty ? "" : ", ")after \(skipped) refusals that are not listed"
        }
        await record(entry)
    }

    private func write(_ entry: AuditEntry) async -> Int64 {
        do {
            let id = try await store.record(entry)
            if id % 256 == 0 {
                _ = try await store.forgetAudit(beyond: settings.audit, before: settings.auditEnd)
            }
            return id
        } catch {
            complain(entry, error)
            return 0
        }
    }

    private func complain(_ entry: AuditEntry, _ error: any Error) {
        logger.error(
            "audit entry cannot be written",
            metadata: [
                "at": "\(entry.at.rfc3339)", "who": "\(entry.who)", "door": "\(entry.door.rawValue)",
                "action": "\(entry.action)", "target": "\(entry.target)", "what": "\(entry.what)",
                "result": "\(entry.result)", "error": "\(error)",
            ])
    }
}
