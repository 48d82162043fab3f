// SPDX-License-Identifier: Apache-2.0
internal import HookReceiver
internal import KintoCore
internal import Synchronization
internal import Wire

/// What a request turns out to be about, told by whoever knows, for its row in the audit log.
final class AuditNote: Sendable {
    struct Content: Sendable {
        /// In the place of the route's, or of a route that has none.
        var action: String?
        var service: String?
        var target = ""
        var words: [String] = []
        /// nil: done, unless it throws.
        var code: String?
    }

    private let content = Mutex(Content())

    var now: Content { content.withLock { $0 } }

    func about(_ target: Target) {
        content.withLock {
            $0.service = target.service.description
            $0.target = target.description
        }
    }

    func about(_ service: ServiceName) {
        content.withLock {
            $0.service = service.description
            $0.target = service.description
        }
    }

    /// - Parameter text: as somebody wrote it.
    func about(_ text: String) { content.withLock { $0.target = RefChange.shown(text) } }

    /// - Parameter text: no secret.
    func say(_ text: String) {
        let text = RefChange.shown(Credentials.redacted(text))
        content.withLock { if $0.words.count < 30 { $0.words.append(text) } }
    }

    func say(_ release: Release) { say("release \(release.number)") }

    func say(_ taken: Taken) {
        switch taken {
        case .release(let release, _): say(release)
        case .live(let release): say("release \(release.number) is live already")
        case .duplicate: say("told before")
        }
    }

    func call(_ action: String) { content.withLock { $0.action = action } }

    /// Nothing was done, though a page says so and no error does.
    func end(_ code: String) { content.withLock { $0.code = code } }
}

extension AuditEntry {
    /// With what is known of it by now.
    func completed(_ note: AuditNote, result: String) -> AuditEntry {
        var entry = self
        let content = note.now
        entry.action = content.action ?? entry.action
        entry.service = content.service
        entry.target = content.target
        entry.what = String(content.words.joined(separator: ", ").prefix(500))
        entry.result = result == AuditEntry.done ? content.code ?? result : result
        return entry
    }
}
